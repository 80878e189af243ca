#include "app/image_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/status.h"
#include "images/contact_sheet.h"
#include "images/packed_set.h"

namespace iat {
namespace {

struct ImageArguments {
  ImageOptions options;
  std::string out;
  int jobs = 1;
  std::string folder, sheet;
  int64_t max_images = 144;
};

absl::Status Pack(const ImageArguments& arguments) {
  IAT_RETURN_IF_ERROR(arguments.options.Validate());
  Progress progress("images", "images");
  IAT_ASSIGN_OR_RETURN(const PackReport report,
                       PackImages(arguments.options, arguments.out, arguments.jobs,
                                  [&](int64_t done, int64_t total) {
                                    progress.Update(static_cast<double>(done),
                                                    static_cast<double>(total), "");
                                  }));
  for (const SkippedImage& skipped : report.skipped) {
    progress.Message(absl::StrCat("skipped ", skipped.id, ": ", skipped.reason));
  }
  std::printf("%s: %lld images, %lld labels, %zu skipped\n", arguments.out.c_str(),
              static_cast<long long>(report.num_images),
              static_cast<long long>(report.num_labels), report.skipped.size());
  return absl::OkStatus();
}

absl::Status ShowImages(const ImageArguments& arguments) {
  IAT_ASSIGN_OR_RETURN(const PackedSet set, PackedSet::Open(arguments.folder));
  std::fputs(DescribeImages(set).c_str(), stdout);
  const std::string path =
      arguments.sheet.empty() ? arguments.folder + "/contact-sheet.png" : arguments.sheet;
  IAT_RETURN_IF_ERROR(WriteContactSheet(set, path, {.max_images = arguments.max_images}));
  std::printf("contact sheet: %s\n", path.c_str());
  return absl::OkStatus();
}

void AddJobs(CLI::App* command, ImageArguments& arguments) {
  command->add_option("--jobs", arguments.jobs, "images decoded at once")
      ->default_val(NumUsableCores())
      ->default_str("all cores");
}

}  // namespace

void AddImageCommands(CLI::App& app, std::function<void(const absl::Status&)> finish) {
  const auto arguments = std::make_shared<ImageArguments>();
  CLI::App* images = app.add_subcommand("images", "image sets: pack, make, show");
  images->require_subcommand(1);

  CLI::App* pack = images->add_subcommand(
      "pack", "folders, archives or CIFAR files -> images.npy and index.csv");
  pack->add_option("SOURCE", arguments->options.paths,
                   "folders, tar/zip archives, CIFAR files")
      ->required();
  pack->add_option("--out", arguments->out, "folder of the packed set")->required();
  pack->add_option("--count", arguments->options.count,
                   "random subset of this size; 0: all");
  pack->add_option("--subset-seed", arguments->options.subset_seed,
                   "which random subset");
  pack->add_option("--size", arguments->options.size, "side in pixels");
  pack->add_option("--max-unreadable-fraction",
                   arguments->options.max_unreadable_fraction,
                   "fail when more than this share can't be read");
  AddJobs(pack, *arguments);
  pack->callback([arguments, finish] { finish(Pack(*arguments)); });

  CLI::App* make = images->add_subcommand("make", "a procedural set of dead leaves");
  make->add_option("--out", arguments->out, "folder of the packed set")->required();
  make->add_option("--count", arguments->options.count, "number of images")->required();
  make->add_option("--seed", arguments->options.seed, "another seed, other images");
  AddJobs(make, *arguments);
  make->callback([arguments, finish] {
    arguments->options.source = "dead-leaves";
    finish(Pack(*arguments));
  });

  CLI::App* show =
      images->add_subcommand("show", "counts, sizes, labels, a contact sheet");
  show->add_option("FOLDER", arguments->folder, "a packed set")->required();
  show->add_option("--png", arguments->sheet, "contact sheet (default: in the folder)");
  show->add_option("--max-images", arguments->max_images, "images on the sheet");
  show->callback([arguments, finish] { finish(ShowImages(*arguments)); });
}

}  // namespace iat
