// Which objective the config asks for, and what is known of each by its name. The
// objectives themselves are in objective.h.

#ifndef IAT_TRAINING_OBJECTIVE_OPTIONS_H_
#define IAT_TRAINING_OBJECTIVE_OPTIONS_H_

#include <any>
#include <map>
#include <string>
#include <vector>

#include "base/options.h"
#include "training/recipe.h"

namespace iat {

// The config's training.objective and the tables of all objectives.
class ObjectiveOptions {
 public:
  std::string name = "instance_recognition";
  // Describe visits the chosen objective's table only: what its weights depend on.
  bool chosen_only = false;

  // Of<SimClr>().temperature = 0.2
  template <typename Class>
  typename Class::Options& Of() {
    std::any& table = tables_[Class::kName];
    if (!table.has_value()) table = typename Class::Options{};
    return std::any_cast<typename Class::Options&>(table);
  }
  template <typename Class>
  typename Class::Options Get() const {
    return ObjectiveOptions(*this).Of<Class>();
  }

  // The tables, not the name.
  void Describe(OptionVisitor& visitor);

 private:
  std::map<std::string, std::any> tables_;
};

// "instance_recognition", "simclr", ...
std::vector<std::string> ObjectiveNames();

// Both of a name that there is.
TrainingRecipe RecipeOf(const std::string& objective);
struct ObjectiveWords {
  std::string title;      // "SimCLR"
  std::string loss_name;  // "NT-Xent loss"
};
ObjectiveWords WordsOf(const std::string& objective);

}  // namespace iat

#endif  // IAT_TRAINING_OBJECTIVE_OPTIONS_H_
