// Synthetic Allen sessions of the documented layout, dataset for dataset and type for
// type, whose responses are known in closed form. Simulated: nothing in them was
// recorded.
//
// A struct holds what goes into the file, so that a test can damage any of it before
// Write(); `left_out` names datasets or groups that are not written.

#ifndef IAT_TESTS_NEURAL_ALLEN_FILES_H_
#define IAT_TESTS_NEURAL_ALLEN_FILES_H_

#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/neural/hdf5_writer.h"

namespace iat {

// Writes only what is not left out.
class AllenWriter {
 public:
  AllenWriter(const std::filesystem::path& path, const std::set<std::string>& left_out)
      : writer_(path), left_out_(left_out) {}
  bool Takes(const std::string& path) const {
    for (const std::string& out : left_out_) {
      if (path == out || path.rfind(out + "/", 0) == 0) return false;
    }
    return true;
  }
  void Doubles(const std::string& path, const std::vector<double>& values) {
    if (Takes(path)) writer_.Doubles(path, values);
  }
  void Integers(const std::string& path, const std::vector<int64_t>& values) {
    if (Takes(path)) writer_.Integers(path, values);
  }
  void Strings(const std::string& path, const std::vector<std::string>& values) {
    if (Takes(path)) writer_.Strings(path, values);
  }
  void Text(const std::string& path, const std::string& value) {
    if (Takes(path)) writer_.Text(path, value);
  }
  void FixedText(const std::string& path, const std::string& value) {
    if (Takes(path)) writer_.FixedText(path, value);
  }
  void Booleans(const std::string& path, const std::vector<bool>& values) {
    if (Takes(path)) writer_.Booleans(path, values);
  }
  void Numbers(const std::string& path, hid_t stored, const std::vector<hsize_t>& shape,
               const std::vector<double>& values,
               const std::vector<hsize_t>& chunk = {}) {
    if (Takes(path)) writer_.Numbers(path, stored, shape, values, chunk);
  }
  Hdf5Writer& raw() { return writer_; }

 private:
  Hdf5Writer writer_;
  const std::set<std::string>& left_out_;
};

// NWB 2, as DANDI 000021 lists it.
struct NeuropixelsFile {
  std::string version = "2.2.2", subject_id = "699733573", session_id = "715093703";
  std::vector<double> start_time, stop_time, frame;
  std::vector<int64_t> unit_id, peak_channel_id, spike_times_index;
  std::vector<std::string> quality;
  std::vector<double> amplitude_cutoff, presence_ratio, isi_violations;
  std::vector<double> spike_times;
  std::vector<int64_t> electrode_id;
  std::vector<std::string> location;
  std::vector<bool> valid_data;
  std::vector<double> running_start, running_end, running_speed;
  bool speed_times_in_two_rows = false;
  std::set<std::string> left_out;

  void Write(const std::filesystem::path& path) const {
    AllenWriter out(path, left_out);
    out.raw().Attribute("/", "nwb_version", version);
    out.Text("/identifier", session_id);
    out.Text("/general/session_id", session_id);
    out.Text("/general/subject/subject_id", subject_id);
    const std::string shown = "/intervals/natural_scenes_presentations/";
    out.Doubles(shown + "start_time", start_time);
    out.Doubles(shown + "stop_time", stop_time);
    out.Doubles(shown + "frame", frame);
    out.Doubles(shown + "stimulus_block", std::vector<double>(frame.size(), 5.0));
    out.Doubles(shown + "stimulus_index", std::vector<double>(frame.size(), 4.0));
    out.Strings(shown + "stimulus_name",
                std::vector<std::string>(frame.size(), "natural_scenes"));
    std::vector<int64_t> rows;
    for (size_t i = 0; i < frame.size(); ++i) rows.push_back(static_cast<int64_t>(i));
    out.Integers(shown + "id", rows);
    out.Integers(shown + "tags_index", rows);
    out.Integers(shown + "timeseries_index", rows);
    out.Integers("/units/id", unit_id);
    out.Integers("/units/peak_channel_id", peak_channel_id);
    out.Integers("/units/local_index", unit_id);
    out.Integers("/units/cluster_id", unit_id);
    out.Strings("/units/quality", quality);
    out.Doubles("/units/amplitude_cutoff", amplitude_cutoff);
    out.Doubles("/units/presence_ratio", presence_ratio);
    out.Doubles("/units/isi_violations", isi_violations);
    out.Doubles("/units/firing_rate", presence_ratio);
    out.Doubles("/units/snr", presence_ratio);
    out.Integers("/units/spike_times_index", spike_times_index);
    out.Numbers(
        "/units/spike_times", H5T_IEEE_F64LE, {spike_times.size()}, spike_times,
        spike_times.empty() ? std::vector<hsize_t>{} : std::vector<hsize_t>{4096});
    const std::string electrodes = "/general/extracellular_ephys/electrodes/";
    out.Integers(electrodes + "id", electrode_id);
    out.Integers(electrodes + "probe_id", electrode_id);
    out.Strings(electrodes + "location", location);
    out.Booleans(electrodes + "valid_data", valid_data);
    const std::string running = "/processing/running/";
    if (speed_times_in_two_rows) {
      std::vector<double> both = running_start;
      both.insert(both.end(), running_end.begin(), running_end.end());
      out.Numbers(running + "running_speed/timestamps", H5T_IEEE_F64LE,
                  {2, running_start.size()}, both);
    } else {
      out.Doubles(running + "running_speed/timestamps", running_start);
      out.Doubles(running + "running_speed_end_times/timestamps", running_end);
    }
    out.Doubles(running + "running_speed/data", running_speed);
  }
};

// What is planted in a Neuropixels session: spikes of unit u in bin b of the trial.
struct PlantedUnit {
  std::string location, quality = "good";
  double amplitude_cutoff = 0.01, presence_ratio = 0.99, isi_violations = 0.1;
  bool valid = true;
  int (*spikes)(int image, int trial, int bin, bool running);
};

inline int Hash(int a, int b, int c) {
  RandomStream stream(77, "planted", static_cast<uint64_t>(a * 1000 + b),
                      static_cast<uint32_t>(c));
  return static_cast<int>(stream.UniformInt(4));
}

// Unit 0: 1 + image mod 3 spikes in each of bins 5 to 9. Unit 1: 1 + 7 image mod 4 in
// each of bins 6 to 11. Unit 4 (VISl): image mod 5 in every bin. The others fail one step
// each, which their comment names.
inline std::vector<PlantedUnit> PlantedUnits() {
  const auto first = [](int image, int, int bin, bool) {
    return bin >= 5 && bin < 10 ? 1 + image % 3 : 0;
  };
  std::vector<PlantedUnit> units = {
      {.location = "VISp", .spikes = first},
      {.location = "VISp",
       .spikes = [](int image, int, int bin,
                    bool) { return bin >= 6 && bin < 12 ? 1 + image * 7 % 4 : 0; }},
      {.location = "VISp", .quality = "noise", .spikes = first},
      {.location = "VISp", .amplitude_cutoff = 0.2, .spikes = first},
      {.location = "VISl", .spikes = [](int image, int, int, bool) { return image % 5; }},
      {.location = "LGd-sh", .spikes = first},
      // Unreliable: another count every time.
      {.location = "VISp",
       .spikes = [](int image, int trial, int bin,
                    bool) { return Hash(image, trial, bin); }},
      // Modulated by running.
      {.location = "VISp",
       .spikes =
           [](int image, int, int bin, bool running) {
             return bin < 5 ? 1 + image % 3 + (running ? 3 : 0) : 0;
           }},
      {.location = "VISp", .valid = false, .spikes = first},
      {.location = "", .spikes = first},
      {.location = "VISp", .presence_ratio = 0.5, .spikes = first},
      {.location = "VISp", .isi_violations = 0.9, .spikes = first},
      {.location = "VISp",
       .amplitude_cutoff = std::numeric_limits<double>::quiet_NaN(),
       .spikes = first},
      // Silent: an empty stretch of the ragged array.
      {.location = "VISp", .spikes = [](int, int, int, bool) { return 0; }},
  };
  return units;
}

// Images in random order, back to back with 0.2 ms between, a blank after every tenth;
// rows of the table in another random order. The animal runs in even trials.
inline NeuropixelsFile MakeNeuropixelsFile(int num_images, int num_trials) {
  NeuropixelsFile file;
  RandomStream stream(3, "planted-order");
  struct Shown {
    double start;
    int image, trial;
  };
  std::vector<Shown> shown;
  std::vector<int64_t> order = stream.Permutation(int64_t{num_images} * num_trials);
  std::vector<int> trial(num_images, 0);
  double time = 1000.0;
  constexpr double kPeriod = 0.2502, kLength = 0.25;
  for (size_t i = 0; i < order.size(); ++i) {
    const int image = static_cast<int>(order[i] % num_images);
    shown.push_back({time, image, trial[image]++});
    time += kPeriod;
    if (i % 10 == 9) {
      shown.push_back({time, -1, 0});
      time += kPeriod;
    }
  }
  for (const int64_t row : stream.Permutation(static_cast<int64_t>(shown.size()))) {
    file.start_time.push_back(shown[row].start);
    file.stop_time.push_back(shown[row].start + kLength);
    file.frame.push_back(shown[row].image);
  }
  constexpr double kSample = 0.02;
  for (double t = 990.0; t < time + 10.0; t += kSample) {
    const auto index = static_cast<int64_t>(std::floor((t - 1000.0) / kPeriod));
    const bool runs = index >= 0 && index < static_cast<int64_t>(shown.size()) &&
                      shown[index].trial % 2 == 0;
    file.running_start.push_back(t);
    file.running_end.push_back(t + kSample);
    file.running_speed.push_back(runs ? 5.0 : 0.2);
  }
  const std::vector<PlantedUnit> units = PlantedUnits();
  for (size_t u = 0; u < units.size(); ++u) {
    const PlantedUnit& unit = units[u];
    // Electrodes in an order of their own.
    file.electrode_id.insert(file.electrode_id.begin(), static_cast<int64_t>(850 + u));
    file.location.insert(file.location.begin(), unit.location);
    file.valid_data.insert(file.valid_data.begin(), unit.valid);
    file.unit_id.push_back(static_cast<int64_t>(950 + u));
    file.peak_channel_id.push_back(static_cast<int64_t>(850 + u));
    file.quality.push_back(unit.quality);
    file.amplitude_cutoff.push_back(unit.amplitude_cutoff);
    file.presence_ratio.push_back(unit.presence_ratio);
    file.isi_violations.push_back(unit.isi_violations);
    for (const Shown& s : shown) {
      if (s.image < 0) continue;
      for (int bin = 0; bin < 25; ++bin) {
        const int count = unit.spikes(s.image, s.trial, bin, s.trial % 2 == 0);
        for (int k = 0; k < count; ++k) {
          file.spike_times.push_back(s.start + 0.01 * bin + 0.004 + 1e-4 * k);
        }
      }
    }
    file.spike_times_index.push_back(static_cast<int64_t>(file.spike_times.size()));
  }
  return file;
}

// NWB 1, as the SDK reads it.
struct TwoPhotonFile {
  bool is_new_layout = true;  // pipeline 2.0: groups of their own for demixed, neuropil
  std::string group = "natural_scenes_stimulus";
  std::string session_type = "three_session_B", location = "VISp";
  std::string specimen_name = "Cux2-CreERT2;Camk2a-tTA;Ai93-222426";
  std::vector<int64_t> image;
  std::vector<double> frame_duration;  // presentations x 2
  std::vector<int64_t> cell_specimen_ids;
  std::vector<double> demixed, neuropil, r;  // cells x frames; cells
  std::vector<double> timestamps, speed_times, speed;
  bool speed_is_column = true;
  std::set<std::string> left_out;

  void Write(const std::filesystem::path& path) const {
    AllenWriter out(path, left_out);
    out.FixedText("/general/session_type", session_type);
    out.FixedText("/general/specimen_name", specimen_name);
    out.FixedText("/general/session_id", "501559087");
    out.FixedText("/general/experiment_container_id", "511510670");
    out.FixedText("/general/subject/genotype", "Cux2-CreERT2/wt");
    out.FixedText("/general/optophysiology/imaging_plane_1/location", location);
    out.FixedText("/general/optophysiology/imaging_plane_1/imaging depth", "175 microns");
    const std::string shown = "/stimulus/presentation/" + group;
    out.Integers(shown + "/data", image);
    out.Numbers(shown + "/frame_duration", H5T_IEEE_F64LE, {frame_duration.size() / 2, 2},
                frame_duration);
    const std::string pipeline = "/processing/brain_observatory_pipeline/";
    const std::string plane = pipeline + "Fluorescence/imaging_plane_1";
    const hsize_t cells = cell_specimen_ids.size();
    const hsize_t frames = cells == 0 ? 0 : demixed.size() / cells;
    const std::vector<hsize_t> chunk =
        demixed.empty() ? std::vector<hsize_t>{} : std::vector<hsize_t>{1, frames};
    const auto traces = [&](const std::string& name, const std::vector<double>& values) {
      out.Numbers(name, H5T_IEEE_F32LE, {cells, frames}, values, chunk);
    };
    out.Doubles(plane + "/timestamps", timestamps);
    if (is_new_layout) {
      // The raw traces are there too, and are not what is asked for.
      traces(plane + "/data", std::vector<double>(demixed.size(), 1.0));
      traces(plane + "_demixed_signal/data", demixed);
      traces(plane + "_neuropil_response/data", neuropil);
      out.Doubles(plane + "_neuropil_response/r", r);
    } else {
      traces(plane + "/data", demixed);
      traces(plane + "/neuropil_traces", neuropil);
      out.Doubles(plane + "/r", r);
    }
    traces(pipeline + "DfOverF/imaging_plane_1/data",
           std::vector<double>(demixed.size(), 0.5));
    out.Integers(pipeline + "ImageSegmentation/cell_specimen_ids", cell_specimen_ids);
    out.Integers(pipeline + "ImageSegmentation/roi_ids", cell_specimen_ids);
    const std::string running = pipeline + "BehavioralTimeSeries/running_speed/";
    if (speed_is_column) {
      out.Numbers(running + "data", H5T_IEEE_F64LE, {speed.size(), 1}, speed);
    } else {
      out.Doubles(running + "data", speed);
    }
    out.Doubles(running + "timestamps", speed_times);
  }
};

// Response planted in cell c, in % dF/F. Cell 0 depends on the image alone, cell 1 is
// another every time, cell 2 doubles when the animal runs, cell 3 is cell 0 backwards.
inline double PlantedFluorescence(int cell, int image, int trial, int num_images) {
  switch (cell) {
    case 0:
      return 5.0 * image;
    case 1:
      return 10.0 * Hash(image, trial, 9);
    case 2:
      return (3.0 + image + 0.01 * trial) * (trial % 2 == 0 ? 2.0 : 1.0);
    default:
      return 5.0 * (num_images - 1 - image);
  }
}

// Presentations of 7 frames, 50 frames from one to the next, so that no response reaches
// into the next baseline; a blank after every tenth; rows in random order; the animal
// runs in even trials. F0 is 40 (1 + cell).
inline TwoPhotonFile MakeTwoPhotonFile(int num_images, int num_trials) {
  TwoPhotonFile file;
  constexpr int kCells = 4, kSpacing = 50, kFirst = 60;
  RandomStream stream(4, "planted-order");
  struct Shown {
    int start, image, trial;
  };
  std::vector<Shown> shown;
  std::vector<int> trial(num_images, 0);
  int start = kFirst;
  const std::vector<int64_t> order = stream.Permutation(int64_t{num_images} * num_trials);
  for (size_t i = 0; i < order.size(); ++i) {
    const int image = static_cast<int>(order[i] % num_images);
    shown.push_back({start, image, trial[image]++});
    start += kSpacing;
    if (i % 10 == 9) {
      shown.push_back({start, -1, 0});
      start += kSpacing;
    }
  }
  const int num_frames = start + kFirst;
  for (const int64_t row : stream.Permutation(static_cast<int64_t>(shown.size()))) {
    file.image.push_back(shown[row].image);
    file.frame_duration.push_back(shown[row].start);
    file.frame_duration.push_back(shown[row].start + 7);
  }
  constexpr double kRate = 30.0;
  file.speed.assign(num_frames, 0.1);
  for (int f = 0; f < num_frames; ++f) file.timestamps.push_back(8.0 + f / kRate);
  for (const Shown& s : shown) {
    if (s.image < 0 || s.trial % 2 != 0) continue;
    for (int f = s.start; f < s.start + 14; ++f) file.speed[f] = 12.0;
  }
  file.speed_times = file.timestamps;
  for (int c = 0; c < kCells; ++c) {
    file.cell_specimen_ids.push_back(517410000 + c);
    file.r.push_back(0.5 + 0.1 * c);
    std::vector<double> f(num_frames, 40.0 * (1 + c));
    for (const Shown& s : shown) {
      if (s.image < 0) continue;
      const double percent = PlantedFluorescence(c, s.image, s.trial, num_images);
      for (int k = 0; k < 14; ++k) {
        // A transient whose mean over the window is exactly the planted response.
        f[s.start + k] *= 1.0 + percent / 100.0 * (k % 2 == 0 ? 1.5 : 0.5);
      }
    }
    for (int k = 0; k < num_frames; ++k) {
      const double around = 20.0 + 8.0 * std::sin(0.05 * k + c);
      file.neuropil.push_back(around);
      file.demixed.push_back(f[k] + file.r[c] * around);
    }
  }
  return file;
}

}  // namespace iat

#endif  // IAT_TESTS_NEURAL_ALLEN_FILES_H_
