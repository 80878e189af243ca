// Shell completion written from the tree of commands: commands, options, the values of
// options that have a fixed choice, config keys after --set, file names elsewhere.
//
//   bash  source <(iat completion bash), or share/bash-completion/completions/iat
//   zsh   a file _iat in a folder of $fpath
//   fish  iat.fish in ~/.config/fish/completions

#ifndef IAT_APP_SHELL_COMPLETION_H_
#define IAT_APP_SHELL_COMPLETION_H_

#include <string>
#include <vector>

#include "app/command_tree.h"

namespace iat {

// `config_keys`: "training.epochs", ...; offered as "training.epochs=".
std::string BashCompletion(const CommandNode& root,
                           const std::vector<std::string>& config_keys);
std::string ZshCompletion(const CommandNode& root,
                          const std::vector<std::string>& config_keys);
std::string FishCompletion(const CommandNode& root,
                           const std::vector<std::string>& config_keys);

}  // namespace iat

#endif  // IAT_APP_SHELL_COMPLETION_H_
