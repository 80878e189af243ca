#include "neural/response_block.h"

#include <algorithm>
#include <limits>

#include "base/status.h"

namespace iat {

Recording JoinBlocks(const std::vector<ResponseBlock>& blocks) {
  Recording recording;
  std::map<std::string, int64_t> row_of;
  size_t num_neurons = 0;
  for (const ResponseBlock& block : blocks) {
    num_neurons += block.neuron_ids.size();
    recording.num_trials = std::max(recording.num_trials, block.num_trials);
    for (const std::string& id : block.stimulus_ids) {
      if (row_of.emplace(id, static_cast<int64_t>(row_of.size())).second) {
        recording.stimulus_ids.push_back(id);
      }
    }
    for (const auto& [name, unused] : block.by_neuron) recording.by_neuron[name];
  }
  const size_t num_stimuli = recording.stimulus_ids.size();
  recording.responses.assign(
      static_cast<size_t>(recording.num_trials) * num_stimuli * num_neurons,
      std::numeric_limits<float>::quiet_NaN());
  size_t first = 0;
  for (const ResponseBlock& block : blocks) {
    const size_t members = block.neuron_ids.size();
    const size_t stimuli = block.stimulus_ids.size();
    IAT_CHECK(block.responses.size() == block.num_trials * stimuli * members,
              "a block's responses do not fit its sizes");
    for (const std::string& id : block.neuron_ids) {
      recording.neurons.push_back({block.animal, block.area, id});
    }
    for (auto& [name, values] : recording.by_neuron) {
      const auto found = block.by_neuron.find(name);
      if (found == block.by_neuron.end()) {
        values.insert(values.end(), members, std::numeric_limits<double>::quiet_NaN());
      } else {
        values.insert(values.end(), found->second.begin(), found->second.end());
      }
    }
    for (int64_t t = 0; t < block.num_trials; ++t) {
      for (size_t s = 0; s < stimuli; ++s) {
        const auto from =
            block.responses.begin() + static_cast<ptrdiff_t>((t * stimuli + s) * members);
        const int64_t row = row_of.at(block.stimulus_ids[s]);
        std::copy(
            from, from + static_cast<ptrdiff_t>(members),
            recording.responses.begin() +
                static_cast<ptrdiff_t>((t * num_stimuli + row) * num_neurons + first));
      }
    }
    first += members;
  }
  return recording;
}

}  // namespace iat
