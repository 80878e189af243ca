// Every k-th frame of a video file.

#include <opencv2/videoio.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "images/source_part.h"

namespace iat {
namespace {

// OpenCV's errors become false; what is left of a damaged file is not read.
class Video {
 public:
  explicit Video(const std::string& path) {
    try {
      capture_.open(path);
    } catch (const cv::Exception&) {
      capture_.release();
    }
  }

  bool is_open() const { return capture_.isOpened(); }

  bool Step() {
    try {
      return capture_.grab();
    } catch (const cv::Exception&) {
      return false;
    }
  }

  // The frame stepped to, as RGB.
  bool Frame(Image& image) {
    cv::Mat frame;
    try {
      if (!capture_.retrieve(frame) || frame.empty() || frame.depth() != CV_8U) {
        return false;
      }
    } catch (const cv::Exception&) {
      return false;
    }
    image.height = frame.rows;
    image.width = frame.cols;
    image.pixels.resize(static_cast<size_t>(frame.rows) * frame.cols * 3);
    const int channels = frame.channels();
    for (int row = 0; row < frame.rows; ++row) {
      const uint8_t* from = frame.ptr<uint8_t>(row);
      uint8_t* to = &image.pixels[static_cast<size_t>(row) * frame.cols * 3];
      for (int column = 0; column < frame.cols; ++column, from += channels, to += 3) {
        // Blue, green, red; or grey.
        to[0] = from[channels >= 3 ? 2 : 0];
        to[1] = from[channels >= 3 ? 1 : 0];
        to[2] = from[0];
      }
    }
    return true;
  }

 private:
  cv::VideoCapture capture_;
};

class VideoSource : public SourcePart {
 public:
  VideoSource(std::string path, int64_t every) : path_(std::move(path)), every_(every) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    Video video(path_);
    if (!video.is_open()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path_, ": not a video that OpenCV can read here (container and codec)"));
    }
    // Containers' own counts are estimates.
    int64_t num_frames = 0;
    while (video.Step()) ++num_frames;
    if (num_frames == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": no frame can be read"));
    }
    const std::string name = path_.substr(path_.rfind('/') + 1);
    std::vector<ImageEntry> entries;
    for (int64_t frame = 0; frame < num_frames; frame += every_) {
      entries.push_back({absl::StrFormat("%s#%06d", name, frame), -1, "", path_});
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<FrameReader>(path_, every_);
  }

 private:
  class FrameReader : public Reader {
   public:
    FrameReader(const std::string& path, int64_t every)
        : path_(path), every_(every), video_(path) {}

    absl::StatusOr<LoadImage> Next(int64_t position) override {
      for (; at_ < position * every_; ++at_) {
        if (!video_.Step()) return Lost(at_ + 1);
      }
      Image image;
      if (!video_.Frame(image)) return Lost(at_);
      return [image = std::move(image)]() -> absl::StatusOr<Image> { return image; };
    }

   private:
    absl::Status Lost(int64_t frame) const {
      return absl::DataLossError(
          absl::StrCat(path_, ": frame ", frame, " can't be read, though it was there"));
    }

    std::string path_;
    int64_t every_;
    Video video_;
    int64_t at_ = -1;
  };

  std::string path_;
  int64_t every_;
};

}  // namespace

bool IsVideoPath(absl::string_view path) {
  const std::string lower = absl::AsciiStrToLower(path);
  for (const char* extension :
       {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg"}) {
    if (absl::EndsWith(lower, extension)) return true;
  }
  return false;
}

std::unique_ptr<SourcePart> VideoPart(const std::string& path, int64_t every) {
  return std::make_unique<VideoSource>(path, every);
}

}  // namespace iat
