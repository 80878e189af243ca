// What figure1.cc, figure1_script.cc and other parts of the report share.

#ifndef IAT_REPORT_FIGURE1_SCRIPT_H_
#define IAT_REPORT_FIGURE1_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "report/figure1.h"

namespace iat {

// A column that comes back in every layer: one mapping at one stage.
struct Figure1Series {
  std::string stage, mapping, label;
};

// In drawing order: known mappings first, then others as they appear.
std::vector<Figure1Series> Figure1SeriesOf(const Figure1Data& data);

// In drawing order: as the family, then the other panels, first name them.
std::vector<std::string> Figure1LayersOf(const Figure1Data& data);

// The mapping whose null control `mapping` is: "ridge" of "ridge_permuted".
std::string WithoutPermuted(const std::string& mapping);

// 12345 as "12,345".
std::string WithThousands(int64_t number);
// "64 to 384", or "64" where both are the same.
std::string Range(int64_t low, int64_t high);

// 0.953, −0.010, or "no value".
std::string ShownR2(double r2);
// "0.953 [0.941, 0.960]", without brackets where there is no interval.
std::string ShownR2(double r2, double low, double high);

}  // namespace iat

#endif  // IAT_REPORT_FIGURE1_SCRIPT_H_
