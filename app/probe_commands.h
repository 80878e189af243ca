// iat probe: linear probes of every animal of a run (training/linear_probe.h).
//
//   models/ANIMAL/probe.csv  one row a layer, and the fingerprint of what made it
//   scores/probe.csv         all animals: animal,layer,stage,num_features,num_images,
//                            num_test_images,num_correct,top1,low,high,chance,
//                            l2_penalty,penalty_at_edge,iterations,converged

#ifndef IAT_APP_PROBE_COMMANDS_H_
#define IAT_APP_PROBE_COMMANDS_H_

#include <string>

#include "base/csv.h"

namespace iat {

// The table for people, and as JSON.
std::string ProbeText(const CsvTable& table);
std::string ProbeJson(const CsvTable& table);

}  // namespace iat

#endif  // IAT_APP_PROBE_COMMANDS_H_
