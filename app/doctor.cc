#include "app/doctor.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "app/provenance.h"
#include "base/parallel.h"
#include "base/terminal.h"
#include "models/torch_device.h"
#include "report/gnuplot.h"

namespace iat {
namespace {

using Level = Finding::Level;

double GigaflopsPerSecond(int threads) {
  SetTorchThreads(threads);
  SetBlasThreads(threads);
  return TorchGigaflopsPerSecond();
}

// Distinct files of these names mapped into this process.
int NumMapped(absl::string_view part) {
  std::vector<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash);
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.find(std::string(part)) != 0) continue;
    if (std::find(found.begin(), found.end(), path) == found.end()) found.push_back(path);
  }
  return static_cast<int>(found.size());
}

Finding ThreadFinding() {
  const int cores = NumUsableCores();
  const char* setting = std::getenv("OMP_NUM_THREADS");
  int value = 0;
  if (setting == nullptr) {
    return {Level::kFine,
            absl::StrCat(cores,
                         " usable cores; OMP_NUM_THREADS is not set: "
                         "each worker sets its own threads"),
            ""};
  }
  const std::string text =
      absl::StrCat("OMP_NUM_THREADS=", setting, " on ", cores, " usable cores");
  if (!absl::SimpleAtoi(setting, &value) || value < 1) {
    return {Level::kBroken, absl::StrCat(text, " is not a number of threads"),
            "unset OMP_NUM_THREADS"};
  }
  if (value > cores) {
    return {Level::kSlow,
            absl::StrCat(text, ": more threads than cores fight each other"),
            "unset OMP_NUM_THREADS, or set it to 1"};
  }
  return {Level::kFine, text, ""};
}

}  // namespace

std::string BlasWarning() {
  const BlasInfo blas = GetBlasInfo();
  if (!blas.is_reference) return "";
  return absl::StrCat(
      "no OpenBLAS: matrix products run on the reference BLAS (", blas.library,
      "), about 40 times slower; apt-get install libopenblas0-openmp, then "
      "choose it with update-alternatives --config libblas.so.3-$(uname -m)-"
      "linux-gnu");
}

std::vector<Finding> Examine(const std::string& folder) {
  std::vector<Finding> findings;
  for (const auto& [name, value] : GetProvenance().entries) {
    findings.push_back({Level::kFine, absl::StrCat(name, ": ", value), ""});
  }
  const std::string warning = BlasWarning();
  if (!warning.empty()) {
    findings.push_back({Level::kSlow, "the BLAS in use is not OpenBLAS", warning});
  }
  findings.push_back(ThreadFinding());

  const double one = GigaflopsPerSecond(1);
  findings.push_back(
      {one < 10.0 ? Level::kSlow : Level::kFine,
       absl::StrFormat("matrix products, float32, 1 thread: %.0f GFLOP/s", one),
       one < 10.0 ? "a core with AVX2 and OpenBLAS gives 40 to 100; is another "
                    "program using it?"
                  : ""});
  const int cores = NumUsableCores();
  if (cores > 1) {
    const double all = GigaflopsPerSecond(cores);
    const bool slow = all < 1.2 * one;
    findings.push_back(
        {slow ? Level::kSlow : Level::kFine,
         absl::StrFormat(
             "matrix products, float32, %d threads: %.0f GFLOP/s (%.1f times one)", cores,
             all, all / one),
         slow ? "threads inside one product do not pay here; several workers with one "
                "thread each (the default) do, if the cores are free"
              : ""});
    SetTorchThreads(1);
    SetBlasThreads(1);
  }
  for (const char* library : {"libopenblas", "libgomp"}) {
    const int count = NumMapped(library);
    if (count > 1) {
      findings.push_back({Level::kBroken,
                          absl::StrCat(count, " copies of ", library, " in one process"),
                          "point CMAKE_PREFIX_PATH at one LibTorch and build again"});
    }
  }
  const int num_devices = NumCudaDevices();
  findings.push_back(
      {Level::kFine,
       absl::StrCat("CUDA: ", num_devices > 0 ? absl::StrCat(num_devices, " devices")
                                              : "none, the processor is used"),
       ""});
  const absl::Status gnuplot = FindGnuplot("gnuplot");
  findings.push_back(
      {gnuplot.ok() ? Level::kFine : Level::kBroken,
       absl::StrCat("figures: gnuplot ", gnuplot.ok() ? "is there" : "is not there"),
       std::string(gnuplot.message())});
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) == 0) {
    const double free =
        static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize) / 1e9;
    findings.push_back(
        {free < 2.0 ? Level::kSlow : Level::kFine,
         absl::StrFormat("free disk at %s: %.1f GB", folder, free),
         free < 2.0 ? "a family of four full-width models takes about 3 GB" : ""});
  }
  return findings;
}

bool Doctor(const std::string& folder) {
  bool healthy = true;
  for (const Finding& finding : Examine(folder)) {
    const std::string mark = finding.level == Level::kFine
                                 ? Coloured("ok    ", Colour::kGreen, STDOUT_FILENO)
                             : finding.level == Level::kSlow
                                 ? Coloured("SLOW  ", Colour::kYellow, STDOUT_FILENO)
                                 : Coloured("BROKEN", Colour::kRed, STDOUT_FILENO);
    std::printf("%s  %s\n", mark.c_str(), finding.text.c_str());
    if (!finding.advice.empty()) std::printf("        -> %s\n", finding.advice.c_str());
    healthy &= finding.level == Level::kFine;
  }
  return healthy;
}

}  // namespace iat
