#include "neural/neuropixels.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

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
#include "neural/spike_counts.h"

namespace iat {
namespace {

constexpr char kPresentations[] = "/intervals/natural_scenes_presentations";
constexpr char kElectrodes[] = "/general/extracellular_ephys/electrodes";
constexpr char kRunning[] = "/processing/running/running_speed";

// One unit on its way through the selection.
struct Unit {
  std::string id, area;
  int64_t first_spike = 0, num_spikes = 0;
  double running_p = kNaN;
  std::vector<double> bin_reliability;
  std::vector<uint16_t> counts;  // presentation x bin
  bool passes_running = false, passes_reliability = false;

  double max_bin_reliability() const {
    double best = kNaN;
    for (const double value : bin_reliability) {
      if (std::isnan(best) || value > best) best = value;
    }
    return best;
  }
};

absl::StatusOr<std::string> AnimalName(const Hdf5File& file) {
  const std::pair<const char*, const char*> places[] = {
      {"/general/subject/subject_id", "specimen"},
      {"/general/session_id", "session"},
      {"/identifier", "session"}};
  for (const auto& [place, kind] : places) {
    if (!file.Has(place)) continue;
    const auto text = file.ReadText(place);
    if (!text.ok() || text->empty()) continue;
    std::string name = absl::StrCat(kind, "-", *text);
    std::replace(name.begin(), name.end(), '/', '_');
    return name;
  }
  return absl::StrCat("session-", file.path().stem().string());
}

absl::Status CheckIsSession(const Hdf5File& file) {
  const std::string path = file.path().string();
  const auto version = file.TextAttribute("/", "nwb_version");
  const bool is_nwb_2 = version.ok() && absl::StartsWith(*version, "2");
  if (!is_nwb_2) {
    const std::string found = version.ok()
                                  ? absl::StrCat("its NWB version is ", *version)
                                  : std::string("it has no attribute nwb_version");
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", found,
                     "; expected an NWB 2 file of a Neuropixels "
                     "session"));
  }
  if (!file.Has(kPresentations)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": there is no ", kPresentations,
                     "; expected a session that saw natural scenes (session type "
                     "brain_observatory_1.1)"));
  }
  for (const char* group : {"/units", kElectrodes}) {
    if (file.Has(group)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": there is no ", group, "; expected a session with sorted units"));
  }
  return absl::OkStatus();
}

// A column of numbers of the units table. A filter that is off needs no column.
absl::StatusOr<std::vector<double>> FilterColumn(const Hdf5File& file, const char* column,
                                                 const char* option, double limit,
                                                 int64_t num_units) {
  if (std::isinf(limit)) return std::vector<double>();
  const std::string dataset = absl::StrCat("/units/", column);
  if (!file.Has(dataset)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path().string(), ": there is no ", dataset, ", which ", option,
                     " asks about; set neuropixels.", option, " to ",
                     absl::StartsWith(option, "max") ? "inf" : "-inf", " to do without"));
  }
  return file.ReadNumbers(dataset, {num_units});
}

class NeuropixelsSession {
 public:
  NeuropixelsSession(const NeuropixelsOptions& options, const TrialSplitOptions& splits,
                     int jobs, SelectionRecord& record)
      : options_(options), splits_(splits), jobs_(jobs), record_(record) {}

  absl::StatusOr<std::vector<ResponseBlock>> Read(const std::string& path) {
    IAT_ASSIGN_OR_RETURN(const Hdf5File file, Hdf5File::Open(path));
    IAT_RETURN_IF_ERROR(CheckIsSession(file));
    IAT_ASSIGN_OR_RETURN(animal_, AnimalName(file));
    IAT_RETURN_IF_ERROR(ReadPresentations(file));
    IAT_RETURN_IF_ERROR(ReadSpeeds(file));
    IAT_RETURN_IF_ERROR(ReadUnits(file));
    IAT_RETURN_IF_ERROR(MeasureUnits(file));
    return SelectAndAverage();
  }

 private:
  absl::Status ReadPresentations(const Hdf5File& file) {
    const std::string where = kPresentations;
    IAT_ASSIGN_OR_RETURN(const std::vector<double> starts,
                         file.ReadNumbers(where + "/start_time", {-1}));
    const auto rows = static_cast<int64_t>(starts.size());
    IAT_ASSIGN_OR_RETURN(const std::vector<double> stops,
                         file.ReadNumbers(where + "/stop_time", {rows}));
    IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> images,
                         file.ReadIntegers(where + "/frame", {rows}));
    IAT_ASSIGN_OR_RETURN(
        presentations_,
        OrderPresentations(starts, stops, images, options_.num_images,
                           absl::StrCat(file.path().string(), ": ", where), record_));
    num_trials_ = NumTrials(presentations_);
    return absl::OkStatus();
  }

  absl::Status ReadSpeeds(const Hdf5File& file) {
    if (options_.min_running_p < 0.0) return absl::OkStatus();
    if (!file.Has(kRunning)) {
      record_.Note(absl::StrCat(file.path().string(), ": there is no ", kRunning,
                                "; no unit is tested for running"));
      return absl::OkStatus();
    }
    const std::string where = kRunning;
    // Some files keep start and end of each sample side by side in two rows.
    IAT_ASSIGN_OR_RETURN(const Hdf5Dataset about, file.Describe(where + "/timestamps"));
    std::vector<double> times;
    if (about.shape.size() == 2 && about.shape[0] == 2) {
      IAT_ASSIGN_OR_RETURN(times, file.ReadRows(where + "/timestamps", 0, 1));
    } else {
      IAT_ASSIGN_OR_RETURN(times, file.ReadNumbers(where + "/timestamps", {-1}));
    }
    IAT_ASSIGN_OR_RETURN(
        const std::vector<double> speeds,
        file.ReadNumbers(where + "/data", {static_cast<int64_t>(times.size())}));
    std::vector<double> starts, stops;
    for (const Presentation& p : presentations_) {
      starts.push_back(p.start);
      stops.push_back(p.stop);
    }
    speeds_ = MeansDuring(times, speeds, starts, stops);
    return absl::OkStatus();
  }

  // Filters by the electrode, the quality columns and the area.
  absl::Status ReadUnits(const Hdf5File& file) {
    const std::string electrodes = kElectrodes;
    IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> channels,
                         file.ReadIntegers(electrodes + "/id", {-1}));
    const auto num_channels = static_cast<int64_t>(channels.size());
    IAT_ASSIGN_OR_RETURN(const std::vector<std::string> locations,
                         file.ReadStrings(electrodes + "/location"));
    std::vector<int64_t> valid(channels.size(), 1);
    if (file.Has(electrodes + "/valid_data")) {
      IAT_ASSIGN_OR_RETURN(valid,
                           file.ReadIntegers(electrodes + "/valid_data", {num_channels}));
    }
    if (locations.size() != channels.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          file.path().string(), ": ", electrodes, ": ", channels.size(), " ids and ",
          locations.size(), " locations; expected one of each"));
    }
    std::map<int64_t, size_t> row_of;
    for (size_t i = 0; i < channels.size(); ++i) row_of.emplace(channels[i], i);

    IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> ids,
                         file.ReadIntegers("/units/id", {-1}));
    const auto num_units = static_cast<int64_t>(ids.size());
    IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> peaks,
                         file.ReadIntegers("/units/peak_channel_id", {num_units}));
    IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> ends,
                         file.ReadIntegers("/units/spike_times_index", {num_units}));
    std::vector<std::string> quality;
    if (!options_.quality.empty()) {
      if (!file.Has("/units/quality")) {
        return absl::InvalidArgumentError(
            absl::StrCat(file.path().string(),
                         ": there is no /units/quality; set "
                         "neuropixels.quality to \"\" to do without"));
      }
      IAT_ASSIGN_OR_RETURN(quality, file.ReadStrings("/units/quality"));
      if (quality.size() != ids.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat(file.path().string(), ": /units/quality: ", quality.size(),
                         " entries; expected one a unit, ", ids.size()));
      }
    }
    IAT_ASSIGN_OR_RETURN(const std::vector<double> cutoff,
                         FilterColumn(file, "amplitude_cutoff", "max_amplitude_cutoff",
                                      options_.max_amplitude_cutoff, num_units));
    IAT_ASSIGN_OR_RETURN(const std::vector<double> presence,
                         FilterColumn(file, "presence_ratio", "min_presence_ratio",
                                      options_.min_presence_ratio, num_units));
    IAT_ASSIGN_OR_RETURN(const std::vector<double> violations,
                         FilterColumn(file, "isi_violations", "max_isi_violations",
                                      options_.max_isi_violations, num_units));
    IAT_RETURN_IF_ERROR(CheckOffsets(file, ends));

    struct Filter {
      std::string name;
      std::function<bool(size_t)> passes;
    };
    std::vector<std::string> area(ids.size());
    std::vector<bool> on_valid(ids.size(), false);
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto row = row_of.find(peaks[i]);
      if (row == row_of.end()) continue;
      const std::string& location = locations[row->second];
      area[i] = location.substr(0, location.find('-'));
      if (area[i] == "null" || area[i] == "None" || area[i] == "nan") area[i].clear();
      on_valid[i] = valid[row->second] != 0;
    }
    std::vector<Filter> filters = {{"a valid electrode with a location", [&](size_t i) {
                                      return on_valid[i] && !area[i].empty();
                                    }}};
    if (!quality.empty()) {
      filters.push_back({absl::StrCat("quality ", options_.quality),
                         [&](size_t i) { return quality[i] == options_.quality; }});
    }
    // Written so that NaN fails.
    if (!cutoff.empty()) {
      filters.push_back(
          {absl::StrFormat("amplitude_cutoff <= %g", options_.max_amplitude_cutoff),
           [&](size_t i) { return cutoff[i] <= options_.max_amplitude_cutoff; }});
    }
    if (!presence.empty()) {
      filters.push_back(
          {absl::StrFormat("presence_ratio >= %g", options_.min_presence_ratio),
           [&](size_t i) { return presence[i] >= options_.min_presence_ratio; }});
    }
    if (!violations.empty()) {
      filters.push_back(
          {absl::StrFormat("isi_violations <= %g", options_.max_isi_violations),
           [&](size_t i) { return violations[i] <= options_.max_isi_violations; }});
    }
    filters.push_back({absl::StrCat("area one of ", absl::StrJoin(options_.areas, ", ")),
                       [&](size_t i) {
                         return std::count(options_.areas.begin(), options_.areas.end(),
                                           area[i]) > 0;
                       }});
    for (size_t i = 0; i < ids.size(); ++i) {
      bool passes = true;
      for (const Filter& filter : filters) {
        if (!passes) break;
        passes = filter.passes(i);
        record_.Add(filter.name, animal_, area[i].empty() ? "?" : area[i], passes ? 1 : 0,
                    passes ? 0 : 1);
      }
      if (!passes) continue;
      Unit unit;
      unit.id = absl::StrCat(ids[i]);
      unit.area = area[i];
      unit.first_spike = i == 0 ? 0 : ends[i - 1];
      unit.num_spikes = ends[i] - unit.first_spike;
      units_.push_back(std::move(unit));
    }
    return absl::OkStatus();
  }

  absl::Status CheckOffsets(const Hdf5File& file, const std::vector<int64_t>& ends) {
    IAT_ASSIGN_OR_RETURN(const Hdf5Dataset spikes, file.Describe(kSpikeTimes));
    if (spikes.shape.size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.path().string(), ": ", kSpikeTimes, " has ",
                       spikes.shape.size(), " dimensions; expected 1"));
    }
    int64_t before = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      if (ends[i] < before || ends[i] > spikes.shape[0]) {
        return absl::InvalidArgumentError(
            absl::StrCat(file.path().string(), ": /units/spike_times_index: unit ", i,
                         " ends at ", ends[i], "; expected ", before, " to ",
                         spikes.shape[0], ", the number of spikes"));
      }
      before = ends[i];
    }
    return absl::OkStatus();
  }

  // Spikes to counts, and what the later steps ask of them.
  absl::Status MeasureUnits(const Hdf5File& file) {
    const SpikeWindow window{.start = options_.window_start,
                             .bin_width = options_.bin_width,
                             .num_bins = options_.num_bins,
                             .count_edges_twice = options_.edges == "both"};
    const TrialSplits splits(num_trials_, splits_);
    return ParallelFor(
        jobs_, static_cast<int64_t>(units_.size()), [&](int64_t u) -> absl::Status {
          Unit& unit = units_[u];
          IAT_ASSIGN_OR_RETURN(
              SpikeCounts counts,
              CountSpikes(file, unit.first_spike, unit.num_spikes, presentations_, window,
                          options_.spikes_per_block));
          unit.running_p =
              RunningP(presentations_, counts.totals, speeds_, options_.num_images,
                       options_.running_speed, options_.running_min_trials);
          unit.passes_running =
              std::isnan(unit.running_p) || unit.running_p > options_.min_running_p;
          if (!unit.passes_running) return absl::OkStatus();
          std::vector<float> values;
          for (int64_t bin = 0; bin < options_.num_bins; ++bin) {
            FillTrials(counts.by_bin, bin, bin + 1, values);
            unit.bin_reliability.push_back(
                splits.SplitHalf(values.data(), options_.num_images).mean);
          }
          unit.passes_reliability =
              std::isinf(options_.min_reliability) ||
              unit.max_bin_reliability() >= options_.min_reliability;
          if (unit.passes_reliability) unit.counts = std::move(counts.by_bin);
          return absl::OkStatus();
        });
  }

  // Rates in spikes/s over bins [first, end), trial x image, NaN where there was no
  // trial.
  void FillTrials(const std::vector<uint16_t>& counts, int64_t first, int64_t end,
                  std::vector<float>& values) const {
    values.assign(static_cast<size_t>(num_trials_) * options_.num_images,
                  std::numeric_limits<float>::quiet_NaN());
    for (size_t p = 0; p < presentations_.size(); ++p) {
      int64_t sum = 0;
      for (int64_t bin = first; bin < end; ++bin) {
        sum += counts[p * options_.num_bins + bin];
      }
      values[presentations_[p].trial * options_.num_images + presentations_[p].image] =
          static_cast<float>(static_cast<double>(sum) /
                             (options_.bin_width * static_cast<double>(end - first)));
    }
  }

  absl::StatusOr<std::vector<ResponseBlock>> SelectAndAverage() {
    const std::string running_step = absl::StrFormat(
        "not modulated by running, p > %g or unknown", options_.min_running_p);
    const std::string reliability_step =
        absl::StrFormat("reliability >= %g in some bin", options_.min_reliability);
    const std::string area_step = absl::StrFormat(
        "median reliability of the area >= %g in some bin", options_.min_bin_reliability);
    std::map<std::string, std::vector<const Unit*>> of_area;
    for (const Unit& unit : units_) {
      if (options_.min_running_p >= 0.0) {
        record_.Add(running_step, animal_, unit.area, unit.passes_running ? 1 : 0,
                    unit.passes_running ? 0 : 1);
      }
      if (!unit.passes_running) continue;
      record_.Add(reliability_step, animal_, unit.area, unit.passes_reliability ? 1 : 0,
                  unit.passes_reliability ? 0 : 1);
      if (unit.passes_reliability) of_area[unit.area].push_back(&unit);
    }
    const TrialSplits splits(num_trials_, splits_);
    std::vector<ResponseBlock> blocks;
    for (const auto& [area, members] : of_area) {
      std::vector<std::vector<double>> reliability;
      for (const Unit* unit : members) reliability.push_back(unit->bin_reliability);
      auto [first, length] =
          LongestRun(ColumnMedians(reliability), options_.min_bin_reliability);
      const auto count = static_cast<int64_t>(members.size());
      record_.Add(area_step, animal_, area, length > 0 ? count : 0,
                  length > 0 ? 0 : count);
      if (length == 0) continue;
      if (options_.num_response_bins > 0) {
        first = options_.first_response_bin;
        length = options_.num_response_bins;
      }
      record_.Note(absl::StrFormat("%s %s: responses are means over bins %d to %d",
                                   animal_, area, first, first + length - 1));
      IAT_ASSIGN_OR_RETURN(ResponseBlock block,
                           MakeBlock(area, members, first, length, splits));
      blocks.push_back(std::move(block));
    }
    return blocks;
  }

  absl::StatusOr<ResponseBlock> MakeBlock(const std::string& area,
                                          const std::vector<const Unit*>& members,
                                          int64_t first, int64_t length,
                                          const TrialSplits& splits) const {
    ResponseBlock block;
    block.animal = animal_;
    block.area = area;
    block.num_trials = num_trials_;
    for (int64_t image = 0; image < options_.num_images; ++image) {
      IAT_ASSIGN_OR_RETURN(std::string id, NumberedName(options_.stimulus_id, image));
      block.stimulus_ids.push_back(std::move(id));
    }
    block.responses.resize(static_cast<size_t>(num_trials_) * options_.num_images *
                           members.size());
    std::vector<float> values;
    for (size_t m = 0; m < members.size(); ++m) {
      const Unit& unit = *members[m];
      block.neuron_ids.push_back(unit.id);
      FillTrials(unit.counts, first, first + length, values);
      for (size_t i = 0; i < values.size(); ++i) {
        block.responses[i * members.size() + m] = values[i];
      }
      block.by_neuron["reliability"].push_back(
          splits.SplitHalf(values.data(), options_.num_images).mean);
      block.by_neuron["max_bin_reliability"].push_back(unit.max_bin_reliability());
      block.by_neuron["running_p"].push_back(unit.running_p);
      block.by_neuron["first_bin"].push_back(static_cast<double>(first));
      block.by_neuron["num_bins"].push_back(static_cast<double>(length));
    }
    return block;
  }

  const NeuropixelsOptions& options_;
  const TrialSplitOptions& splits_;
  const int jobs_;
  SelectionRecord& record_;
  std::string animal_;
  std::vector<Presentation> presentations_;
  std::vector<double> speeds_;  // by presentation; empty: not known
  std::vector<Unit> units_;
  int64_t num_trials_ = 0;
};

}  // namespace

absl::StatusOr<Recording> ReadNeuropixels(const NeuropixelsOptions& options,
                                          const TrialSplitOptions& splits, int jobs,
                                          SelectionRecord& record) {
  IAT_RETURN_IF_ERROR(options.Validate());
  std::vector<ResponseBlock> blocks;
  for (const std::string& path : options.files) {
    NeuropixelsSession session(options, splits, jobs, record);
    IAT_ASSIGN_OR_RETURN(std::vector<ResponseBlock> of_session, session.Read(path));
    std::move(of_session.begin(), of_session.end(), std::back_inserter(blocks));
  }
  if (blocks.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no unit is left of ", options.files.size(),
                     " session(s); the steps dropped:\n", record.Table()));
  }
  Recording recording = JoinBlocks(blocks);
  ApplySpecimenRule(options.specimen_percentile, recording, record);
  return recording;
}

}  // namespace iat
