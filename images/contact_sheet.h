// What `iat images show` shows: a picture of many images, and words about them.

#ifndef IAT_IMAGES_CONTACT_SHEET_H_
#define IAT_IMAGES_CONTACT_SHEET_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "images/image.h"
#include "images/packed_set.h"

namespace iat {

struct ContactSheetOptions {
  int64_t max_images = 144;
  int columns = 0;  // 0: about square
  int gap = 2;      // white pixels between images
};

// Up to max_images of the set, spread evenly over it, left to right and top to
// bottom. InvalidArgument: the set is empty or an option is not positive.
absl::StatusOr<Image> MakeContactSheet(const PackedSet& set,
                                       const ContactSheetOptions& options = {});

// The same as a PNG file, whole or not at all.
absl::Status WriteContactSheet(const PackedSet& set, const std::filesystem::path& path,
                               const ContactSheetOptions& options = {});

// Counts, sizes, labels, unreadable files and pixel statistics, a few lines.
std::string DescribeImages(const PackedSet& set);

}  // namespace iat

#endif  // IAT_IMAGES_CONTACT_SHEET_H_
