#pragma once
#include "absl/status/status.h"
#include "base/options.h"
namespace iat { struct CompareOptions { void Describe(OptionVisitor&) {} absl::Status Validate() const { return absl::OkStatus(); } }; }
