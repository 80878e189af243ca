// Where a result comes from: versions, revision, machine, libraries, threads.

#ifndef IAT_APP_PROVENANCE_H_
#define IAT_APP_PROVENANCE_H_

#include <string>
#include <utility>
#include <vector>

namespace iat {

struct Provenance {
  // Name and value, in reading order: "iat" -> "0.1.0", "revision" -> ...
  std::vector<std::pair<std::string, std::string>> entries;
};
Provenance GetProvenance();

std::string CpuModel();
// "2026-05-04T03:02:01Z".
std::string UtcNow();

}  // namespace iat

#endif  // IAT_APP_PROVENANCE_H_
