// The responses of one animal's area, and how blocks of several become one recording.

#ifndef IAT_NEURAL_RESPONSE_BLOCK_H_
#define IAT_NEURAL_RESPONSE_BLOCK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "neural/recording.h"

namespace iat {

struct ResponseBlock {
  std::string animal, area;
  std::vector<std::string> stimulus_ids;
  std::vector<std::string> neuron_ids;
  int64_t num_trials = 0;
  std::vector<float> responses;  // trial x stimulus x neuron, NaN: no such trial
  std::map<std::string, std::vector<double>> by_neuron;
};

// Fills neurons, stimuli, trials, responses and by_neuron of a recording: neurons block
// by block; stimuli in order of first appearance; as many trials as the block with most
// has, NaN where a block has fewer or has not seen the stimulus; NaN where a block lacks
// a variable by neuron.
Recording JoinBlocks(const std::vector<ResponseBlock>& blocks);

}  // namespace iat

#endif  // IAT_NEURAL_RESPONSE_BLOCK_H_
