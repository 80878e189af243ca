#include "images/jpeg.h"

#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>
#include <string>

// After jpeglib.h, which it extends.
#include <jerror.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace iat {
namespace {

// A damaged header may claim up to 65,535 x 65,535 pixels.
constexpr int64_t kMaxPixels = int64_t{1} << 28;

struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  std::jmp_buf recover;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void Fail(j_common_ptr codec) {
  auto* manager = reinterpret_cast<ErrorManager*>(codec->err);
  codec->err->format_message(codec, manager->message);
  std::longjmp(manager->recover, 1);
}

// Warnings about the entropy-coded data mean that pixels are wrong or missing;
// the others (extra bytes between segments, odd Adobe markers) are harmless and
// common in real collections.
void HearWarning(j_common_ptr codec, int level) {
  if (level >= 0) return;
  switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      Fail(codec);
    default:
      break;
  }
}

void Silent(j_common_ptr) {}

// No object with a destructor lives between setjmp and longjmp here: `image`
// and `row` belong to the caller.
bool Decode(absl::string_view bytes, ErrorManager& manager, Image& image,
            std::vector<uint8_t>& row) {
  jpeg_decompress_struct codec;
  codec.err = jpeg_std_error(&manager.base);
  manager.base.error_exit = Fail;
  manager.base.emit_message = HearWarning;
  manager.base.output_message = Silent;
  if (setjmp(manager.recover) != 0) {
    jpeg_destroy_decompress(&codec);
    return false;
  }
  jpeg_create_decompress(&codec);
  jpeg_mem_src(&codec, reinterpret_cast<const unsigned char*>(bytes.data()),
               bytes.size());
  jpeg_read_header(&codec, TRUE);
  const bool is_cmyk =
      codec.jpeg_color_space == JCS_CMYK || codec.jpeg_color_space == JCS_YCCK;
  codec.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  if (int64_t{codec.image_width} * codec.image_height > kMaxPixels) {
    ERREXIT1(&codec, JERR_IMAGE_TOO_BIG, static_cast<int>(JPEG_MAX_DIMENSION));
  }
  jpeg_start_decompress(&codec);
  image.height = static_cast<int>(codec.output_height);
  image.width = static_cast<int>(codec.output_width);
  const size_t row_bytes = static_cast<size_t>(image.width) * 3;
  image.pixels.resize(row_bytes * image.height);
  if (is_cmyk) row.resize(static_cast<size_t>(image.width) * 4);
  while (codec.output_scanline < codec.output_height) {
    uint8_t* out = image.pixels.data() + codec.output_scanline * row_bytes;
    JSAMPROW target = is_cmyk ? row.data() : out;
    jpeg_read_scanlines(&codec, &target, 1);
    if (!is_cmyk) continue;
    // Adobe stores ink inverted: 255 is none.
    const bool inverted = codec.saw_Adobe_marker != 0;
    for (int x = 0; x < image.width; ++x) {
      const uint8_t* ink = row.data() + 4 * x;
      const int black = inverted ? ink[3] : 255 - ink[3];
      for (int c = 0; c < 3; ++c) {
        const int paper = inverted ? ink[c] : 255 - ink[c];
        out[3 * x + c] = static_cast<uint8_t>((paper * black + 127) / 255);
      }
    }
  }
  // Reads on to the end-of-image marker, so that a file cut after its last row
  // is noticed too.
  jpeg_finish_decompress(&codec);
  jpeg_destroy_decompress(&codec);
  return true;
}

}  // namespace

bool IsJpeg(absl::string_view bytes) { return absl::StartsWith(bytes, "\xff\xd8\xff"); }

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes, absl::string_view name) {
  Image image;
  std::vector<uint8_t> row;
  ErrorManager manager;
  if (!Decode(bytes, manager, image, row)) {
    return absl::DataLossError(absl::StrCat(name, ": truncated or damaged JPEG of ",
                                            bytes.size(), " bytes (", manager.message,
                                            ")"));
  }
  return image;
}

}  // namespace iat
