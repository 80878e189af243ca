// The report's section on the paper's claims: each with its verdict, why, and by which
// rule.

#ifndef IAT_REPORT_VERDICT_SECTION_H_
#define IAT_REPORT_VERDICT_SECTION_H_

#include <string>
#include <vector>

namespace iat {

struct ReportVerdictCase {
  std::string place, verdict, evidence;
};

struct ReportVerdict {
  std::string claim;
  std::string verdict;  // "supported", "not supported", "undecided", "not measured"
  std::string reason, rule;
  std::vector<ReportVerdictCase> cases;
};

// "" where there are no verdicts.
std::string VerdictsHtml(const std::vector<ReportVerdict>& verdicts);

}  // namespace iat

#endif  // IAT_REPORT_VERDICT_SECTION_H_
