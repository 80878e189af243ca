// Which neurons stay, and a record of every step that drops some.
//
// Every step reports, by animal and area, how many it kept and dropped. The record is
// printed by iat neural import and goes into the recording's attribute `selection`.
//
// The rules below are those of Nayebi et al. (2023); docs/recordings.md says which
// recordings use which.

#ifndef IAT_NEURAL_SELECTION_H_
#define IAT_NEURAL_SELECTION_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "neural/recording.h"

namespace iat {

class SelectionRecord {
 public:
  struct Count {
    int64_t kept = 0, dropped = 0;
  };
  using Counts = std::map<std::pair<std::string, std::string>, Count>;  // animal, area
  struct Step {
    std::string name;  // "reliability >= 0.5 in some bin"
    Counts counts;
  };

  // Adds to the step of that name, the last one or a new one behind the others.
  void Add(const std::string& step, const std::string& animal, const std::string& area,
           int64_t kept, int64_t dropped);
  // A fact that concerns no neuron: "session 7: 50 blanks left out".
  void Note(const std::string& text);

  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<std::string>& notes() const { return notes_; }
  int64_t num_kept(const std::string& step) const;

  // A line a step, animal and area, aligned, then the notes.
  std::string Table() const;
  // "quality good: 300 of 412 kept; reliability >= 0.5: 80 of 300 kept".
  std::string InWords() const;

 private:
  std::vector<Step> steps_;
  std::vector<std::string> notes_;
};

// The longest run of consecutive entries >= threshold, the first of equal ones: its first
// index and its length; {0, 0} when there is none. NaN is below any threshold.
std::pair<int64_t, int64_t> LongestRun(const std::vector<double>& values,
                                       double threshold);

// Medians of the columns of rows of equal length, NaN left out (all NaN: NaN).
std::vector<double> ColumnMedians(const std::vector<std::vector<double>>& rows);

// numpy's default percentile, linear between order statistics. `values` not empty.
double Percentile(std::vector<double> values, double percent);

// p of Welch's two-sided t test of two samples' means,
//   t = (mean_a - mean_b) / sqrt(var_a/n_a + var_b/n_b)
// with Welch-Satterthwaite degrees of freedom. NaN with fewer than 2 values on a side, or
// when both samples are constant and equal; 0 when they are constant and differ.
double WelchP(const std::vector<double>& a, const std::vector<double>& b);

// Drops neurons where `keep` is false, their responses and by-neuron values with them.
void KeepNeurons(const std::vector<bool>& keep, Recording& recording);

// Adds a step that counts `keep` by animal and area.
void RecordStep(const std::string& step, const Recording& recording,
                const std::vector<bool>& keep, SelectionRecord& record);

// The specimen rule: within an area, animals with fewer neurons than
// ceil(the percentile of neurons an animal) are dropped from that area. Percent 0 keeps
// all of them.
void ApplySpecimenRule(double percent, Recording& recording, SelectionRecord& record);

}  // namespace iat

#endif  // IAT_NEURAL_SELECTION_H_
