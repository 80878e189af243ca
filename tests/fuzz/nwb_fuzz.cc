// Recordings: Allen sessions and tables whose contents or bytes are anything.
//
// The first byte says what is damaged:
//   0, 1  the contents of a well-formed NWB 2 or NWB 1 file: our own code reads them
//         in this process, under the sanitizers
//   2, 3  the bytes of such a file: the HDF5 library, which is not built with
//         sanitizers and does not survive everything, reads them in a process of its
//         own, as iat neural import does
//   4     a description (TOML) with a table to read
// Crashes of mode 2 and 3 that RunContained turned into a Status are counted on stderr.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "neural/contained.h"
#include "neural/import.h"
#include "tests/fuzz/fuzz.h"
#include "tests/neural/allen_files.h"

namespace iat {
namespace {

constexpr int kImages = 3, kTrials = 4;

// Hands out the input piece by piece; zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t Byte() { return at_ < size_ ? data_[at_++] : 0; }
  bool Done() const { return at_ >= size_; }
  template <typename T>
  T Raw() {
    T value;
    uint8_t bytes[sizeof(T)];
    for (uint8_t& byte : bytes) byte = Byte();
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  std::string Text() {
    std::string text;
    for (uint8_t n = Byte() % 16; n > 0; --n) text += static_cast<char>(Byte());
    return text;
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

double Number(Input& input) {
  switch (input.Byte() % 4) {
    case 0:
      return input.Raw<int8_t>();
    case 1:
      return input.Raw<int64_t>();
    case 2:
      return input.Raw<double>();
    default:
      return 1000.0 + input.Raw<uint16_t>() / 100.0;
  }
}

// Changes, adds or removes entries.
void Damage(Input& input, std::vector<double>& values) {
  const uint8_t what = input.Byte();
  const size_t place = values.empty() ? 0 : input.Raw<uint16_t>() % values.size();
  if (what % 4 == 0) {
    values.resize(place);
  } else if (what % 4 == 1) {
    values.push_back(Number(input));
  } else if (!values.empty()) {
    values[place] = Number(input);
  }
}
void Damage(Input& input, std::vector<int64_t>& values) {
  const uint8_t what = input.Byte();
  const size_t place = values.empty() ? 0 : input.Raw<uint16_t>() % values.size();
  if (what % 4 == 0) {
    values.resize(place);
  } else if (what % 4 == 1) {
    values.push_back(input.Raw<int64_t>());
  } else if (!values.empty()) {
    values[place] = what & 8 ? input.Raw<int64_t>() : input.Raw<int8_t>();
  }
}
void Damage(Input& input, std::vector<std::string>& values) {
  const uint8_t what = input.Byte();
  const size_t place = values.empty() ? 0 : input.Byte() % values.size();
  if (what % 4 == 0) {
    values.resize(place);
  } else if (what % 4 == 1) {
    values.push_back(input.Text());
  } else if (!values.empty()) {
    values[place] = input.Text();
  }
}

const NeuropixelsFile& CleanNeuropixels() {
  static const NeuropixelsFile file = MakeNeuropixelsFile(kImages, kTrials);
  return file;
}
const TwoPhotonFile& CleanTwoPhoton() {
  static const TwoPhotonFile file = MakeTwoPhotonFile(kImages, kTrials);
  return file;
}

NeuropixelsOptions SpikeOptions(const std::string& path) {
  NeuropixelsOptions options;
  options.files = {path};
  options.num_images = kImages;
  options.specimen_percentile = 0.0;
  options.spikes_per_block = 100;
  return options;
}
TwoPhotonOptions FluorescenceOptions(const std::string& path) {
  TwoPhotonOptions options;
  options.files = {path};
  options.num_images = kImages;
  options.specimen_percentile = 0.0;
  return options;
}

absl::Status ReadIt(bool is_spikes, const std::string& path) {
  SelectionRecord record;
  const TrialSplitOptions splits{.num_splits = 4, .trial_seed = 0};
  const auto recording =
      is_spikes ? ReadNeuropixels(SpikeOptions(path), splits, 1, record)
                : ReadTwoPhoton(FluorescenceOptions(path), splits, 1, record);
  if (!recording.ok()) return recording.status();
  (void)record.Table();
  (void)DescribeRecording(*recording);
  return recording->Validate();
}

void SpikeContents(Input& input) {
  NeuropixelsFile file = CleanNeuropixels();
  while (!input.Done()) {
    switch (input.Byte() % 16) {
      case 0:
        Damage(input, file.start_time);
        break;
      case 1:
        Damage(input, file.stop_time);
        break;
      case 2:
        Damage(input, file.frame);
        break;
      case 3:
        Damage(input, file.unit_id);
        break;
      case 4:
        Damage(input, file.peak_channel_id);
        break;
      case 5:
        Damage(input, file.spike_times_index);
        break;
      case 6:
        Damage(input, file.quality);
        break;
      case 7:
        Damage(input, file.amplitude_cutoff);
        break;
      case 8:
        Damage(input, file.isi_violations);
        break;
      case 9:
        Damage(input, file.spike_times);
        break;
      case 10:
        Damage(input, file.electrode_id);
        break;
      case 11:
        Damage(input, file.location);
        break;
      case 12:
        Damage(input, file.running_start);
        break;
      case 13:
        Damage(input, file.running_speed);
        break;
      case 14:
        file.subject_id = input.Text();
        break;
      default:
        file.left_out.insert(input.Byte() % 2 ? "/units/quality" : "/processing/running");
    }
  }
  const std::string path = (Scratch().path() / "spikes.nwb").string();
  file.Write(path);
  (void)ReadIt(true, path);
}

void FluorescenceContents(Input& input) {
  TwoPhotonFile file = CleanTwoPhoton();
  while (!input.Done()) {
    switch (input.Byte() % 12) {
      case 0:
        Damage(input, file.image);
        break;
      case 1: {
        std::vector<double> pairs = file.frame_duration;
        Damage(input, pairs);
        pairs.resize(pairs.size() / 2 * 2);
        file.frame_duration = pairs;
        break;
      }
      case 2:
        Damage(input, file.cell_specimen_ids);
        break;
      case 3:
        Damage(input, file.r);
        break;
      case 4:
        if (!file.demixed.empty()) {
          file.demixed[input.Raw<uint32_t>() % file.demixed.size()] = Number(input);
        }
        break;
      case 5:
        Damage(input, file.timestamps);
        break;
      case 6:
        Damage(input, file.speed_times);
        break;
      case 7:
        Damage(input, file.speed);
        break;
      case 8:
        file.is_new_layout = input.Byte() % 2 == 0;
        break;
      case 9:
        file.specimen_name = input.Text();
        break;
      case 10:
        file.location = input.Text();
        break;
      default:
        file.speed_is_column = input.Byte() % 2 == 0;
    }
  }
  // The writer needs whole rows; the reader is told nothing.
  if (file.cell_specimen_ids.empty() ||
      file.demixed.size() % file.cell_specimen_ids.size() != 0) {
    return;
  }
  const std::string path = (Scratch().path() / "cells.nwb").string();
  file.Write(path);
  (void)ReadIt(false, path);
}

// Where the file's structure is written, not its numbers: near the signatures of HDF5's
// trees, heaps and nodes, and in the first object headers.
std::vector<size_t> StructurePlaces(const std::string& bytes) {
  constexpr size_t kHead = 2048, kNear = 400;
  std::vector<size_t> places;
  for (size_t i = 0; i < std::min(kHead, bytes.size()); ++i) places.push_back(i);
  for (const char* signature : {"TREE", "HEAP", "SNOD", "GCOL"}) {
    for (size_t at = bytes.find(signature); at != std::string::npos;
         at = bytes.find(signature, at + 4)) {
      for (size_t i = at; i < std::min(at + kNear, bytes.size()); ++i) {
        places.push_back(i);
      }
    }
  }
  return places;
}

void Bytes(Input& input, bool is_spikes) {
  static const std::string clean[] = {
      [] {
        const std::string path = (Scratch().path() / "clean1.nwb").string();
        CleanTwoPhoton().Write(path);
        return *ReadFile(path);
      }(),
      [] {
        const std::string path = (Scratch().path() / "clean2.nwb").string();
        CleanNeuropixels().Write(path);
        return *ReadFile(path);
      }()};
  static const std::vector<size_t> structure[] = {StructurePlaces(clean[0]),
                                                  StructurePlaces(clean[1])};
  std::string bytes = clean[is_spikes];
  if (input.Byte() % 8 == 0) bytes.resize(input.Raw<uint32_t>() % bytes.size());
  while (!input.Done() && !bytes.empty()) {
    const uint32_t number = input.Raw<uint32_t>();
    const std::vector<size_t>& places = structure[is_spikes];
    const size_t place =
        number % 8 == 0 ? number / 8 : places[number / 8 % places.size()];
    bytes[place % bytes.size()] = static_cast<char>(input.Byte());
  }
  const std::string path = Scratch().Write("bytes.nwb", bytes);
  const auto result = RunContained(path, [&]() -> absl::StatusOr<std::string> {
    // A damaged file may also send the library round in circles.
    ::alarm(20);
    const absl::Status status = ReadIt(is_spikes, path);
    if (!status.ok()) return status;
    return std::string();
  });
  static int contained = 0;
  if (absl::IsDataLoss(result.status()) &&
      result.status().message().find("reading it ended with") != std::string::npos) {
    std::fprintf(stderr, "contained %d: %s\n", ++contained,
                 std::string(result.status().message()).c_str());
  }
}

void Table(Input& input) {
  std::string text;
  while (!input.Done()) text += static_cast<char>(input.Byte());
  const std::string path = Scratch().Write("description.toml", text);
  const auto description = Description::Load(path, {});
  if (!description.ok()) return;
  // Nothing but the session is to be opened, whatever the description says.
  static const std::string session = [] {
    const std::string name = (Scratch().path() / "table.nwb").string();
    CleanTwoPhoton().Write(name);
    return name;
  }();
  Description here = *description;
  here.reliability.num_splits = 2;
  if (here.kind != "table") return;
  here.table.files = {session};
  here.table.stimulus_ids_file.clear();
  SelectionRecord record;
  (void)ReadDescribed(here, 1, record);
}

}  // namespace
}  // namespace iat

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kLargest = 4096;
  if (size < 2 || size > kLargest) return 0;
  // The library's complaints about files that the writer cannot make.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  iat::Input input(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      iat::SpikeContents(input);
      break;
    case 1:
      iat::FluorescenceContents(input);
      break;
    case 2:
      iat::Bytes(input, true);
      break;
    case 3:
      iat::Bytes(input, false);
      break;
    default:
      iat::Table(input);
  }
  return 0;
}
