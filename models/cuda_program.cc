#include "models/cuda_program.h"

#include <dlfcn.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "models/torch.h"

namespace iat {
namespace {

// What this program calls of CUDA's driver and of NVRTC, whose interfaces are C and have
// stayed as they are since CUDA 11: handles are pointers, results 0 for success.
struct Cuda {
  int (*cuInit)(unsigned flags);
  int (*cuDeviceGet)(int* device, int ordinal);
  int (*cuDeviceGetAttribute)(int* value, int attribute, int device);
  int (*cuDevicePrimaryCtxRetain)(void** context, int device);
  int (*cuCtxSetCurrent)(void* context);
  int (*cuModuleLoadData)(void** module, const void* image);
  int (*cuModuleGetFunction)(void** function, void* module, const char* name);
  int (*cuLaunchKernel)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z,
                        unsigned shared_bytes, void* stream, void** parameters,
                        void** extra);
  int (*cuGetErrorName)(int error, const char** name);
  int (*nvrtcCreateProgram)(void** program, const char* source, const char* name,
                            int num_headers, const char** headers,
                            const char** include_names);
  int (*nvrtcCompileProgram)(void* program, int num_options, const char** options);
  int (*nvrtcGetCUBINSize)(void* program, size_t* size);
  int (*nvrtcGetCUBIN)(void* program, char* cubin);
  int (*nvrtcGetProgramLogSize)(void* program, size_t* size);
  int (*nvrtcGetProgramLog)(void* program, char* log);
  int (*nvrtcDestroyProgram)(void** program);
  const char* (*nvrtcGetErrorString)(int result);
};

constexpr int kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76;

// LibTorch's own way to both: a library that needs the driver and its NVRTC, whatever
// their versions are.
constexpr char kLibrary[] = "libcaffe2_nvrtc.so";

absl::StatusOr<Cuda> OpenCuda() {
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return absl::UnavailableError(absl::StrCat("no NVRTC: ", dlerror()));
  }
  Cuda cuda;
  const char* missing = nullptr;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        dlsym(library, name));
    if (function == nullptr) missing = name;
  };
#define IAT_FIND(name) find(cuda.name, #name)
  IAT_FIND(cuInit);
  IAT_FIND(cuDeviceGet);
  IAT_FIND(cuDeviceGetAttribute);
  IAT_FIND(cuDevicePrimaryCtxRetain);
  IAT_FIND(cuCtxSetCurrent);
  IAT_FIND(cuModuleLoadData);
  IAT_FIND(cuModuleGetFunction);
  IAT_FIND(cuLaunchKernel);
  IAT_FIND(cuGetErrorName);
  IAT_FIND(nvrtcCreateProgram);
  IAT_FIND(nvrtcCompileProgram);
  IAT_FIND(nvrtcGetCUBINSize);
  IAT_FIND(nvrtcGetCUBIN);
  IAT_FIND(nvrtcGetProgramLogSize);
  IAT_FIND(nvrtcGetProgramLog);
  IAT_FIND(nvrtcDestroyProgram);
  IAT_FIND(nvrtcGetErrorString);
#undef IAT_FIND
  if (missing != nullptr) {
    return absl::UnavailableError(absl::StrCat(kLibrary, " has no ", missing));
  }
  return cuda;
}

const absl::StatusOr<Cuda>& TheCuda() {
  static const auto* const cuda = new absl::StatusOr<Cuda>(OpenCuda());
  return *cuda;
}

absl::Status DriverStatus(const Cuda& cuda, int result, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  const char* name = nullptr;
  cuda.cuGetErrorName(result, &name);
  return absl::InternalError(absl::StrCat(
      what, ": ", name != nullptr ? name : absl::StrCat("error ", result).c_str()));
}

// The machine code of a program for a compute capability.
absl::StatusOr<std::string> MachineCode(const Cuda& cuda, const std::string& name,
                                        const std::string& source, int capability) {
  void* program = nullptr;
  int result = cuda.nvrtcCreateProgram(&program, source.c_str(), name.c_str(), 0, nullptr,
                                       nullptr);
  if (result != 0) {
    return absl::InternalError(
        absl::StrCat(name, ": ", cuda.nvrtcGetErrorString(result)));
  }
  const std::string architecture = absl::StrCat("--gpu-architecture=sm_", capability);
  // Operation by operation, as the CPU's code is compiled: the bytes are to be the same.
  const char* options[] = {architecture.c_str(), "--fmad=false", "--std=c++17"};
  result = cuda.nvrtcCompileProgram(program, std::size(options), options);
  size_t size = 0;
  std::string code;
  absl::Status status;
  if (result != 0) {
    cuda.nvrtcGetProgramLogSize(program, &size);
    std::string log(size, '\0');
    cuda.nvrtcGetProgramLog(program, log.data());
    status = absl::InternalError(
        absl::StrCat(name, ": ", cuda.nvrtcGetErrorString(result), ": ", log.c_str()));
  } else {
    cuda.nvrtcGetCUBINSize(program, &size);
    code.resize(size);
    cuda.nvrtcGetCUBIN(program, code.data());
  }
  cuda.nvrtcDestroyProgram(&program);
  if (!status.ok()) return status;
  return code;
}

}  // namespace

struct CudaProgram::Loaded {
  void* context = nullptr;
  void* module = nullptr;
  std::map<std::string, void*> functions;
};

CudaProgram::CudaProgram(std::string name, std::string source)
    : name_(std::move(name)), source_(std::move(source)) {}

// Modules stay loaded: the driver may be gone before this is.
CudaProgram::~CudaProgram() = default;

absl::StatusOr<CudaProgram::Loaded*> CudaProgram::Load(torch::Device device) {
  const int ordinal = device.has_index() ? device.index() : 0;
  const auto load = [&]() -> absl::StatusOr<std::unique_ptr<Loaded>> {
    if (!device.is_cuda()) {
      return absl::UnavailableError(absl::StrCat(device.str(), " is no CUDA device"));
    }
    IAT_RETURN_IF_ERROR(TheCuda().status());
    const Cuda& cuda = *TheCuda();
    auto loaded = std::make_unique<Loaded>();
    int handle = 0, major = 0, minor = 0;
    IAT_RETURN_IF_ERROR(DriverStatus(cuda, cuda.cuInit(0), "cuInit"));
    IAT_RETURN_IF_ERROR(
        DriverStatus(cuda, cuda.cuDeviceGet(&handle, ordinal), "cuDeviceGet"));
    cuda.cuDeviceGetAttribute(&major, kComputeCapabilityMajor, handle);
    cuda.cuDeviceGetAttribute(&minor, kComputeCapabilityMinor, handle);
    // The context that LibTorch's own calls are in.
    IAT_RETURN_IF_ERROR(DriverStatus(
        cuda, cuda.cuDevicePrimaryCtxRetain(&loaded->context, handle), "context"));
    IAT_RETURN_IF_ERROR(
        DriverStatus(cuda, cuda.cuCtxSetCurrent(loaded->context), "context"));
    IAT_ASSIGN_OR_RETURN(const std::string code,
                         MachineCode(cuda, name_, source_, 10 * major + minor));
    IAT_RETURN_IF_ERROR(
        DriverStatus(cuda, cuda.cuModuleLoadData(&loaded->module, code.data()), name_));
    return loaded;
  };
  auto found = loaded_.find(ordinal);
  if (found == loaded_.end()) found = loaded_.emplace(ordinal, load()).first;
  if (!found->second.ok()) return found->second.status();
  return found->second->get();
}

absl::Status CudaProgram::Prepare(torch::Device device) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return Load(device).status();
}

absl::Status CudaProgram::Launch(const char* function, torch::Device device,
                                 int64_t blocks, int threads,
                                 std::vector<void*> arguments) {
  const std::lock_guard<std::mutex> lock(mutex_);
  IAT_ASSIGN_OR_RETURN(Loaded* const loaded, Load(device));
  const Cuda& cuda = *TheCuda();
  // A thread that has called nothing of CUDA yet has no context.
  IAT_RETURN_IF_ERROR(
      DriverStatus(cuda, cuda.cuCtxSetCurrent(loaded->context), "context"));
  void*& entry = loaded->functions[function];
  if (entry == nullptr) {
    IAT_RETURN_IF_ERROR(DriverStatus(
        cuda, cuda.cuModuleGetFunction(&entry, loaded->module, function), function));
  }
  // The null stream is the one that LibTorch uses unless it is told otherwise.
  return DriverStatus(cuda,
                      cuda.cuLaunchKernel(entry, static_cast<unsigned>(blocks), 1, 1,
                                          static_cast<unsigned>(threads), 1, 1, 0,
                                          nullptr, arguments.data(), nullptr),
                      function);
}

}  // namespace iat
