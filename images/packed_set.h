// Packed image sets: decoded, preprocessed pixels in one file that training and
// extraction read through a memory map.
//
//   FOLDER/images.npy    uint8, N x height x width x 3 RGB, C order, numpy format
//                        1.0: numpy.load("images.npy", mmap_mode="r")
//          skipped.csv   id,reason: images that could not be read
//          set.json      counts, sizes, preprocessing, and the fingerprint
//          index.csv     row,id,label,label_name,source; written last
//
// Every file is written to a temporary name and renamed, and an old index.csv is
// removed before anything else changes: a folder with an index.csv is complete.
// A set made by hand needs images.npy and index.csv with row, id and label only;
// without a set.json its fingerprint is computed on opening.
//
// Fingerprint  SHA-256, over the SHA-256 of the pixels in hexadecimal and then
//              "\n" and the id of each image: the same pixels under the same ids in
//              the same order, wherever they came from.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(PackReport report, PackImages(options, "packed", jobs));
//   IAT_ASSIGN_OR_RETURN(PackedSet set, PackedSet::Open("packed"));
//   NormalizeInto(set.pixels(0), set.height(), set.width(), row);

#ifndef IAT_IMAGES_PACKED_SET_H_
#define IAT_IMAGES_PACKED_SET_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"
#include "images/image_source.h"

namespace iat {

struct SkippedImage {
  std::string id;
  std::string reason;
};

struct PackReport {
  int64_t num_images = 0;
  int64_t num_labels = 0;
  std::vector<SkippedImage> skipped;
  std::string fingerprint;
};

// Called from the packing thread with the images done and to do.
using PackProgress = std::function<void(int64_t done, int64_t total)>;

// Packs what `options` names into `folder`, replacing a set that is there.
// Results do not depend on `jobs`. Besides ImageSource's errors: DataLoss naming
// the first unreadable images when more than `max_unreadable_fraction` of them
// are; the folder then holds no set.
absl::StatusOr<PackReport> PackImages(const ImageOptions& options,
                                      const std::filesystem::path& folder, int jobs,
                                      const PackProgress& progress = nullptr);

class PackedSet {
 public:
  // Whether `folder` holds a complete packed set.
  static bool IsPacked(const std::filesystem::path& folder);

  // Cheap: maps the pixels, reads the index. NotFound: no complete set there.
  // DataLoss: images.npy is shorter or longer than its header says, or has another
  // number of images than index.csv. InvalidArgument: not the format above.
  static absl::StatusOr<PackedSet> Open(const std::filesystem::path& folder);

  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  int height() const { return height_; }
  int width() const { return width_; }

  // height x width x 3 RGB; 0 <= i < size(). Valid while the set lives.
  const uint8_t* pixels(int64_t i) const {
    return pixels_ + static_cast<size_t>(i) * height_ * width_ * 3;
  }

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<std::string>& ids() const { return ids_; }
  // -1 where there is none.
  const std::vector<int>& labels() const { return labels_; }
  // One more than the largest label.
  int num_labels() const { return static_cast<int>(label_names_.size()); }
  // By label; "" for a label that no image here has.
  const std::vector<std::string>& label_names() const { return label_names_; }
  // The paths that images were found in, each once.
  const std::vector<std::string>& sources() const { return sources_; }
  const std::vector<SkippedImage>& skipped() const { return skipped_; }
  // How many images had which size before preprocessing ("500x375": width first),
  // most frequent first; empty for a set made by hand.
  const std::vector<std::pair<std::string, int64_t>>& original_sizes() const {
    return original_sizes_;
  }
  // What was done to the pixels, in words.
  const std::string& preprocessing() const { return preprocessing_; }
  const std::string& Fingerprint() const { return fingerprint_; }

 private:
  friend void ForgetPixels(const PackedSet& set, int64_t begin, int64_t end);
  PackedSet(std::filesystem::path folder, MappedFile file);

  std::filesystem::path folder_;
  MappedFile file_;
  const uint8_t* pixels_ = nullptr;
  int height_ = 0;
  int width_ = 0;
  std::vector<std::string> ids_;
  std::vector<int> labels_;
  std::vector<std::string> label_names_;
  std::vector<std::string> sources_;
  std::vector<SkippedImage> skipped_;
  std::vector<std::pair<std::string, int64_t>> original_sizes_;
  std::string preprocessing_;
  std::string fingerprint_;
};

}  // namespace iat

#endif  // IAT_IMAGES_PACKED_SET_H_
