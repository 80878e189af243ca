// Where images come from: folders, archives, packed sets, arrays, CIFAR files, lists,
// videos, or pictures made from parameters. All give the same thing: a list of entries,
// and one pass over their pixels, preprocessed to size x size.
//
// Sources     "folder"       image files below it
//             "archive"      tar, tar.gz, tar.xz, zip ..., read in place
//             "packed"       what PackImages writes (packed_set.h)
//             "cifar10", "cifar100"   the binary version: a .bin file, or a
//                            folder, which stands for its training files
//             "npy"          uint8, images x height x width x 3 (or 1)
//             "list"         a .csv with columns path and optionally member (of an
//                            archive), id and label_name, or a .txt with a path a
//                            line; paths start at the list's own folder
//             "video"        every `every`th frame of what OpenCV can decode
//             "dead-leaves"  rendered from `seed`, no files (dead_leaves.h)
//             "gratings", "white-noise", "pink-noise", "grey"    (parametric.h)
//             "auto"         one of those with paths, seen from each path itself
// Id          unique and stable: the path inside the folder or archive, without
//             the leading folders that all its images share ("n01443537/a.JPEG");
//             the id in the packed set; "data_batch_1-00012"; "name-000012" in
//             name.npy; the list's id, or its path; "clip.mp4#000123";
//             "dead-leaves-7-000012"; what parametric.h says
// Label name  first folder of the id; "" when the images lie flat. Labels number
//             the sorted label names of everything available, before `count`;
//             -1 without one. Across sets compare label names, not numbers.
// Order       folders by path in byte order, archives as they are stored, lists as they
//             are written, several paths one after the other. Left out: hidden files,
//             macOS's
//             "__MACOSX" twins, and files without an image's extension.
// Subset      `count` rows drawn by `subset_seed` from everything available, before
//             any is decoded: unreadable ones among them are missing in the end.
//
// Example:
//   ImageOptions options;
//   options.paths = {"train_part0.tar.gz", "train_part1.tar.gz"};
//   options.count = 10000;
//   IAT_ASSIGN_OR_RETURN(auto source, ImageSource::Open(options));
//   IAT_RETURN_IF_ERROR(source->Read(jobs, [&](int64_t row, auto image) { ... }));

#ifndef IAT_IMAGES_IMAGE_SOURCE_H_
#define IAT_IMAGES_IMAGE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "images/image.h"
#include "images/parametric.h"

namespace iat {

// The config tables [images] and [stimuli.NAME].
struct ImageOptions {
  std::string source = "auto";
  std::vector<std::string> paths;
  int64_t count = 0;
  int64_t subset_seed = 0;
  int64_t seed = 0;
  int64_t every = 1;
  int64_t size = kInputSide;
  std::string preprocessing = "reference";
  std::string on_error = "skip";
  GratingOptions gratings;
  double max_unreadable_fraction = 0.01;

  void Describe(OptionVisitor& visitor);

  // InvalidArgument: no paths where they are needed or paths where they are not,
  // dead leaves without a count.
  absl::Status Validate() const;
};

struct ImageEntry {
  std::string id;
  int label = -1;
  std::string label_name;
  std::string source;  // the path it was found in, or "dead-leaves"
};

class SourcePart;

// A decoded image, preprocessed to size x size, and the size it had.
struct LoadedImage {
  Image image;
  int original_height = 0;
  int original_width = 0;
};

class ImageSource {
 public:
  // Lists every image; a compressed archive is read through once for it.
  // NotFound: a path does not exist. InvalidArgument: a path is no image source,
  // holds no images, has fewer than `count`, or repeats an id. DataLoss: an
  // archive or CIFAR file is truncated or damaged.
  static absl::StatusOr<std::unique_ptr<ImageSource>> Open(const ImageOptions& options);

  ImageSource(const ImageSource&) = delete;
  ImageSource& operator=(const ImageSource&) = delete;
  ~ImageSource();

  // What `count` has left, in source order.
  const std::vector<ImageEntry>& entries() const { return entries_; }
  // Before `count`.
  int64_t num_available() const { return num_available_; }
  // Sorted; entries()[i].label indexes it.
  const std::vector<std::string>& label_names() const { return label_names_; }
  const ImageOptions& options() const { return options_; }
  // What Read does to the pixels, for the attributes of files.
  std::string PreprocessingInWords() const;

  // Receives entry `row`, or why it can't be read. An error of its own ends the
  // pass and is returned.
  using Visit = std::function<absl::Status(int64_t row, absl::StatusOr<LoadedImage>)>;

  // One pass, front to back: files are decoded on up to `jobs` threads while
  // `visit` is called for rows 0, 1, 2, ... from the calling thread. Holds at
  // most a few hundred preprocessed images and `jobs` encoded ones.
  absl::Status Read(int jobs, const Visit& visit) const;

 private:
  ImageSource();
  absl::Status AddPart(const std::string& path);
  absl::Status Choose();

  ImageOptions options_;
  std::vector<std::unique_ptr<SourcePart>> parts_;
  std::vector<ImageEntry> entries_;
  // The part of each entry and its position there.
  std::vector<std::pair<int, int64_t>> positions_;
  std::vector<std::string> label_names_;
  int64_t num_available_ = 0;
};

}  // namespace iat

#endif  // IAT_IMAGES_IMAGE_SOURCE_H_
