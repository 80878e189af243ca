#include "app/provenance.h"

#include <Eigen/Core>
#include <ctime>
#include <fstream>
#include <opencv2/core/version.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/netcdf.h"
#include "base/parallel.h"
#include "base/version.h"
#include "models/torch_device.h"

namespace iat {

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "model name")) continue;
    const size_t colon = rest.find(':');
    if (colon == absl::string_view::npos) continue;
    return std::string(absl::StripAsciiWhitespace(rest.substr(colon + 1)));
  }
  return "unknown";
}

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Provenance GetProvenance() {
  const BlasInfo blas = GetBlasInfo();
  const absl::string_view netcdf = nc_inq_libvers();
  return {{{"iat", std::string(Version())},
           {"revision", std::string(Revision())},
           {"compiler", std::string(Compiler())},
           {"LibTorch", TorchVersion()},
           {"OpenCV", CV_VERSION},
           {"Eigen", absl::StrCat(EIGEN_WORLD_VERSION, ".", EIGEN_MAJOR_VERSION, ".",
                                  EIGEN_MINOR_VERSION)},
           {"netCDF", std::string(netcdf.substr(0, netcdf.find(' ')))},
           {"BLAS", blas.config.empty() ? blas.library : blas.config},
           {"processor", CpuModel()},
           {"cores", absl::StrCat(NumUsableCores())}}};
}

}  // namespace iat
