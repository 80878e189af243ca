#include "neural/two_photon.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/nan.h"
#include "base/parallel.h"
#include "base/status.h"
#include "neural/hdf5_file.h"
#include "neural/numbered_name.h"
#include "neural/presentations.h"
#include "neural/response_block.h"

namespace iat {
namespace {

constexpr char kSessionB[] = "three_session_B";

class TwoPhotonSession {
 public:
  TwoPhotonSession(const TwoPhotonOptions& options, const TrialSplitOptions& splits,
                   int jobs, SelectionRecord& record)
      : options_(options), splits_(splits), jobs_(jobs), record_(record) {}

  // Without a value when the session's area is not asked for.
  absl::StatusOr<std::vector<ResponseBlock>> Read(const std::string& path) {
    IAT_ASSIGN_OR_RETURN(const Hdf5File file, Hdf5File::Open(path));
    IAT_RETURN_IF_ERROR(CheckIsSession(file));
    IAT_ASSIGN_OR_RETURN(
        area_, file.ReadText("/general/optophysiology/imaging_plane_1/location"));
    IAT_ASSIGN_OR_RETURN(const std::string specimen,
                         file.ReadText("/general/specimen_name"));
    animal_ = absl::StrCat("specimen-", specimen);
    std::replace(animal_.begin(), animal_.end(), '/', '_');
    IAT_RETURN_IF_ERROR(FindTraces(file));
    if (!options_.areas.empty()) {
      const bool wanted =
          std::count(options_.areas.begin(), options_.areas.end(), area_) > 0;
      const auto count = static_cast<int64_t>(ids_.size());
      record_.Add(absl::StrCat("area one of ", absl::StrJoin(options_.areas, ", ")),
                  animal_, area_, wanted ? count : 0, wanted ? 0 : count);
      if (!wanted) return std::vector<ResponseBlock>();
    }
    IAT_RETURN_IF_ERROR(ReadPresentations(file));
    IAT_RETURN_IF_ERROR(ReadSpeeds(file));
    IAT_RETURN_IF_ERROR(ReadResponses(file));
    return Select();
  }

 private:
  absl::Status CheckIsSession(const Hdf5File& file) {
    const std::string path = file.path().string();
    if (const auto version = file.TextAttribute("/", "nwb_version");
        version.ok() && absl::StartsWith(*version, "2")) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": its NWB version is ", *version,
          "; expected the NWB 1 files of the Visual Coding two-photon data"));
    }
    if (file.Has("/general/session_type")) {
      IAT_ASSIGN_OR_RETURN(const std::string type,
                           file.ReadText("/general/session_type"));
      if (type != kSessionB) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": /general/session_type is \"", type, "\"; only \"",
                         kSessionB, "\" holds natural scenes"));
      }
    }
    auto pipeline = file.FirstOf(
        {"/processing/brain_observatory_pipeline", "/processing/visual_coding_pipeline"});
    if (!pipeline.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(pipeline.status().message(),
                       "; expected an NWB 1 file of the Visual Coding two-photon data"));
    }
    pipeline_ = *std::move(pipeline);
    return absl::OkStatus();
  }

  absl::Status FindTraces(const Hdf5File& file) {
    const std::string plane = pipeline_ + "/Fluorescence/imaging_plane_1";
    IAT_ASSIGN_OR_RETURN(demixed_,
                         file.FirstOf({plane + "_demixed_signal/data", plane + "/data"}));
    IAT_ASSIGN_OR_RETURN(neuropil_, file.FirstOf({plane + "_neuropil_response/data",
                                                  plane + "/neuropil_traces"}));
    IAT_ASSIGN_OR_RETURN(const std::string r,
                         file.FirstOf({plane + "_neuropil_response/r", plane + "/r"}));
    IAT_ASSIGN_OR_RETURN(
        ids_,
        file.ReadIntegers(pipeline_ + "/ImageSegmentation/cell_specimen_ids", {-1}));
    const auto num_cells = static_cast<int64_t>(ids_.size());
    IAT_ASSIGN_OR_RETURN(r_, file.ReadNumbers(r, {num_cells}));
    IAT_ASSIGN_OR_RETURN(const Hdf5Dataset traces, file.Describe(demixed_));
    IAT_ASSIGN_OR_RETURN(const Hdf5Dataset around, file.Describe(neuropil_));
    if (traces.shape.size() != 2 || traces.shape[0] != num_cells ||
        around.shape != traces.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.path().string(), ": ", demixed_, " is ",
                       absl::StrJoin(traces.shape, " x "), " and ", neuropil_, " is ",
                       absl::StrJoin(around.shape, " x "), "; expected both as ",
                       num_cells, " cells x frames"));
    }
    num_frames_ = traces.shape[1];
    record_.Note(absl::StrCat(file.path().string(), ": ", area_, ", ", num_cells,
                              " cells; traces ", demixed_, " less r times ", neuropil_));
    return absl::OkStatus();
  }

  absl::Status ReadPresentations(const Hdf5File& file) {
    const auto found = file.FirstOf({"/stimulus/presentation/natural_scenes_stimulus",
                                     "/stimulus/presentation/natural_scenes"});
    if (!found.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(found.status().message(),
                       "; expected a session with natural scenes (", kSessionB, ")"));
    }
    const std::string& group = *found;
    IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> images,
                         file.ReadIntegers(group + "/data", {-1}));
    const auto rows = static_cast<int64_t>(images.size());
    IAT_ASSIGN_OR_RETURN(const Hdf5Dataset about,
                         file.Describe(group + "/frame_duration"));
    if (about.shape.size() != 2 || about.shape[0] != rows || about.shape[1] < 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          file.path().string(), ": ", group, "/frame_duration is ",
          absl::StrJoin(about.shape, " x "), "; expected ", rows, " x 2 or more"));
    }
    IAT_ASSIGN_OR_RETURN(
        const std::vector<double> durations,
        file.ReadNumbers(group + "/frame_duration", {rows, about.shape[1]}));
    std::vector<double> starts, ends;
    for (int64_t row = 0; row < rows; ++row) {
      // Frame numbers are stored as whole floats in some files; the SDK truncates.
      starts.push_back(std::trunc(durations[row * about.shape[1]]));
      ends.push_back(std::trunc(durations[row * about.shape[1] + 1]));
    }
    IAT_ASSIGN_OR_RETURN(
        presentations_,
        OrderPresentations(starts, ends, images, options_.num_images,
                           absl::StrCat(file.path().string(), ": ", group), record_));
    num_trials_ = NumTrials(presentations_);
    return absl::OkStatus();
  }

  // Whether every frame that a presentation's response needs was acquired.
  bool IsInside(const Presentation& presentation) const {
    return presentation.start >= static_cast<double>(BaselineFrames()) &&
           presentation.start + static_cast<double>(ResponseFrames()) <=
               static_cast<double>(num_frames_);
  }
  int64_t BaselineFrames() const {
    return options_.baseline_sweeps * options_.sweep_frames;
  }
  int64_t ResponseFrames() const {
    return options_.response_sweeps * options_.sweep_frames;
  }

  // Mean speed over the response frames of each presentation, by time: the speed's own
  // samples may begin later or end earlier than the frames.
  absl::Status ReadSpeeds(const Hdf5File& file) {
    if (options_.min_running_p < 0.0) return absl::OkStatus();
    const std::string running = pipeline_ + "/BehavioralTimeSeries/running_speed";
    if (!file.Has(running)) {
      record_.Note(absl::StrCat(file.path().string(), ": there is no ", running,
                                "; no cell is tested for running"));
      return absl::OkStatus();
    }
    const std::string plane = pipeline_ + "/Fluorescence/imaging_plane_1";
    IAT_ASSIGN_OR_RETURN(
        const std::string clock,
        file.FirstOf({plane + "/timestamps", plane + "_demixed_signal/timestamps",
                      pipeline_ + "/DfOverF/imaging_plane_1/"
                                  "timestamps"}));
    IAT_ASSIGN_OR_RETURN(const std::vector<double> times,
                         file.ReadNumbers(clock, {num_frames_}));
    IAT_ASSIGN_OR_RETURN(const std::vector<double> speed_times,
                         file.ReadNumbers(running + "/timestamps", {-1}));
    const auto num_samples = static_cast<int64_t>(speed_times.size());
    IAT_ASSIGN_OR_RETURN(const Hdf5Dataset about, file.Describe(running + "/data"));
    const std::vector<int64_t> shape = about.shape.size() == 2
                                           ? std::vector<int64_t>{num_samples, 1}
                                           : std::vector<int64_t>{num_samples};
    IAT_ASSIGN_OR_RETURN(const std::vector<double> speeds,
                         file.ReadNumbers(running + "/data", shape));
    std::vector<double> starts, stops;
    for (const Presentation& presentation : presentations_) {
      if (!IsInside(presentation)) {
        starts.push_back(kNaN);
        stops.push_back(kNaN);
        continue;
      }
      const auto first = static_cast<int64_t>(presentation.start);
      starts.push_back(times[first]);
      // Up to and with the last frame's own sample.
      stops.push_back(std::nextafter(times[first + ResponseFrames() - 1],
                                     std::numeric_limits<double>::infinity()));
    }
    speeds_ = MeansDuring(speed_times, speeds, starts, stops);
    return absl::OkStatus();
  }

  // Responses of one cell by presentation, from its corrected trace.
  std::vector<double> Responses(const double* demixed, const double* neuropil, double r,
                                int64_t& num_missing) const {
    std::vector<double> responses(presentations_.size(), kNaN);
    const auto mean = [&](int64_t from, int64_t count) {
      double sum = 0.0;
      for (int64_t f = from; f < from + count; ++f) sum += demixed[f] - r * neuropil[f];
      return sum / static_cast<double>(count);
    };
    for (size_t p = 0; p < presentations_.size(); ++p) {
      if (IsInside(presentations_[p])) {
        const auto onset = static_cast<int64_t>(presentations_[p].start);
        const double f0 = mean(onset - BaselineFrames(), BaselineFrames());
        // The mean of ratios to one F0 is the ratio of the mean.
        constexpr double kPercent = 100.0;
        if (f0 > 0.0) {
          responses[p] = kPercent * (mean(onset, ResponseFrames()) / f0 - 1.0);
        }
      }
      if (!std::isfinite(responses[p])) {
        responses[p] = kNaN;
        ++num_missing;
      }
    }
    return responses;
  }

  absl::Status ReadResponses(const Hdf5File& file) {
    const auto num_cells = static_cast<int64_t>(ids_.size());
    responses_.resize(num_cells);
    int64_t num_missing = 0;
    for (int64_t first = 0; first < num_cells; first += options_.cells_per_block) {
      const int64_t count = std::min(options_.cells_per_block, num_cells - first);
      IAT_ASSIGN_OR_RETURN(const std::vector<double> demixed,
                           file.ReadRows(demixed_, first, count));
      IAT_ASSIGN_OR_RETURN(const std::vector<double> neuropil,
                           file.ReadRows(neuropil_, first, count));
      for (int64_t c = 0; c < count; ++c) {
        responses_[first + c] =
            Responses(demixed.data() + c * num_frames_, neuropil.data() + c * num_frames_,
                      r_[first + c], num_missing);
      }
    }
    if (num_missing > 0) {
      record_.Note(absl::StrCat(
          file.path().string(), ": ", num_missing, " of ",
          num_cells * static_cast<int64_t>(presentations_.size()),
          " responses missing (frames beyond the recording, or F0 not positive)"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<ResponseBlock>> Select() {
    const auto num_cells = static_cast<int64_t>(ids_.size());
    const TrialSplits splits(num_trials_, splits_);
    std::vector<double> running_p(num_cells, kNaN), reliability(num_cells, kNaN);
    std::vector<std::vector<float>> trials(num_cells);
    IAT_RETURN_IF_ERROR(ParallelFor(jobs_, num_cells, [&](int64_t c) -> absl::Status {
      running_p[c] = RunningP(presentations_, responses_[c], speeds_, options_.num_images,
                              options_.running_speed, options_.running_min_trials);
      trials[c].assign(static_cast<size_t>(num_trials_) * options_.num_images,
                       std::numeric_limits<float>::quiet_NaN());
      for (size_t p = 0; p < presentations_.size(); ++p) {
        trials[c][presentations_[p].trial * options_.num_images +
                  presentations_[p].image] = static_cast<float>(responses_[c][p]);
      }
      reliability[c] = splits.SplitHalf(trials[c].data(), options_.num_images).mean;
      return absl::OkStatus();
    }));
    std::vector<int64_t> kept;
    for (int64_t c = 0; c < num_cells; ++c) {
      if (options_.min_running_p >= 0.0) {
        const bool passes =
            std::isnan(running_p[c]) || running_p[c] > options_.min_running_p;
        record_.Add(absl::StrFormat("not modulated by running, p > %g or unknown",
                                    options_.min_running_p),
                    animal_, area_, passes ? 1 : 0, passes ? 0 : 1);
        if (!passes) continue;
      }
      const bool passes = std::isinf(options_.min_reliability) ||
                          reliability[c] >= options_.min_reliability;
      record_.Add(absl::StrFormat("reliability >= %g", options_.min_reliability), animal_,
                  area_, passes ? 1 : 0, passes ? 0 : 1);
      if (passes) kept.push_back(c);
    }
    if (kept.empty()) return std::vector<ResponseBlock>();
    ResponseBlock block;
    block.animal = animal_;
    block.area = area_;
    block.num_trials = num_trials_;
    for (int64_t image = 0; image < options_.num_images; ++image) {
      IAT_ASSIGN_OR_RETURN(std::string id, NumberedName(options_.stimulus_id, image));
      block.stimulus_ids.push_back(std::move(id));
    }
    block.responses.resize(static_cast<size_t>(num_trials_) * options_.num_images *
                           kept.size());
    for (size_t k = 0; k < kept.size(); ++k) {
      const int64_t c = kept[k];
      block.neuron_ids.push_back(absl::StrCat(ids_[c]));
      for (size_t i = 0; i < trials[c].size(); ++i) {
        block.responses[i * kept.size() + k] = trials[c][i];
      }
      block.by_neuron["reliability"].push_back(reliability[c]);
      block.by_neuron["running_p"].push_back(running_p[c]);
    }
    return std::vector<ResponseBlock>{std::move(block)};
  }

  const TwoPhotonOptions& options_;
  const TrialSplitOptions& splits_;
  const int jobs_;
  SelectionRecord& record_;
  std::string pipeline_, animal_, area_, demixed_, neuropil_;
  std::vector<int64_t> ids_;
  std::vector<double> r_, speeds_;
  std::vector<Presentation> presentations_;
  std::vector<std::vector<double>> responses_;  // by cell, by presentation
  int64_t num_frames_ = 0, num_trials_ = 0;
};

}  // namespace

void TwoPhotonOptions::Describe(OptionVisitor& visitor) {
  visitor.Paths("files", files, "NWB 1 files, one a session B");
  visitor.Paths("areas", areas, "areas to keep; []: all");
  visitor.Integer("num_images", num_images, {.min = 2, .max = 1000000},
                  "images are numbered from 0");
  visitor.Text("stimulus_id", stimulus_id, "stimulus id of an image's number");
  visitor.Integer("sweep_frames", sweep_frames, {.min = 1, .max = 100000},
                  "acquisition frames of a presentation");
  visitor.Integer("baseline_sweeps", baseline_sweeps, {.min = 1, .max = 1000},
                  "presentations' lengths before onset that F0 is the mean of");
  visitor.Integer("response_sweeps", response_sweeps, {.min = 1, .max = 1000},
                  "presentations' lengths from onset that the response is the mean of");
  visitor.Number("running_speed", running_speed, {},
                 "cm/s from which on the animal counts as running");
  visitor.Integer("running_min_trials", running_min_trials, {.min = 2},
                  "trials of the preferred image, running and not, that the test needs");
  visitor.Number("min_running_p", min_running_p, {.max = 1.0},
                 "drop neurons whose test has no larger p; negative: no test");
  visitor.Number("min_reliability", min_reliability, {}, "least reliability; -inf: any");
  visitor.Number("specimen_percentile", specimen_percentile, {.min = 0.0, .max = 100.0},
                 "animals below this percentile of neurons leave an area; 0: none");
  visitor.Integer("cells_per_block", cells_per_block, {.min = 1},
                  "cells whose traces are read at once");
}

absl::Status TwoPhotonOptions::Validate() const {
  if (files.empty()) {
    return absl::InvalidArgumentError("files is []; expected at least one NWB 1 file");
  }
  return NumberedName(stimulus_id, 0).status();
}

absl::StatusOr<Recording> ReadTwoPhoton(const TwoPhotonOptions& options,
                                        const TrialSplitOptions& splits, int jobs,
                                        SelectionRecord& record) {
  IAT_RETURN_IF_ERROR(options.Validate());
  std::vector<ResponseBlock> blocks;
  for (const std::string& path : options.files) {
    TwoPhotonSession session(options, splits, jobs, record);
    IAT_ASSIGN_OR_RETURN(std::vector<ResponseBlock> of_session, session.Read(path));
    std::move(of_session.begin(), of_session.end(), std::back_inserter(blocks));
  }
  if (blocks.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no cell is left of ", options.files.size(),
                     " session(s); the steps dropped:\n", record.Table()));
  }
  Recording recording = JoinBlocks(blocks);
  ApplySpecimenRule(options.specimen_percentile, recording, record);
  return recording;
}

}  // namespace iat
