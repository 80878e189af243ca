// JPEG decoding that hears the codec's warnings.
//
// libjpeg fills what is missing from a truncated or damaged file with grey and
// only warns, and OpenCV drops the warning. Here data warnings are errors.

#ifndef IAT_IMAGES_JPEG_H_
#define IAT_IMAGES_JPEG_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "images/image.h"

namespace iat {

// Whether the bytes start as a JPEG file does.
bool IsJpeg(absl::string_view bytes);

// Grey, YCbCr, RGB, CMYK and YCCK files to RGB.
// DataLoss: truncated, damaged, or not decodable.
absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes, absl::string_view name);

}  // namespace iat

#endif  // IAT_IMAGES_JPEG_H_
