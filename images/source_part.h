// One path of an ImageSource, or one generator: what it holds, and readers that walk
// through it forwards. Internal to images/.

#ifndef IAT_IMAGES_SOURCE_PART_H_
#define IAT_IMAGES_SOURCE_PART_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "images/image.h"
#include "images/image_source.h"

namespace iat {

// Makes one image, on any thread.
using LoadImage = std::function<absl::StatusOr<Image>()>;

class SourcePart {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    // What makes image `position`. Positions rise from call to call.
    virtual absl::StatusOr<LoadImage> Next(int64_t position) = 0;
  };

  virtual ~SourcePart() = default;
  virtual absl::StatusOr<std::vector<ImageEntry>> List() = 0;
  virtual absl::StatusOr<std::unique_ptr<Reader>> Open() const = 0;
  // After List: names as an archive has them, by position; none in other parts.
  virtual std::vector<std::string> MemberNames() const { return {}; }

 protected:
  // For parts in which any image can be had at any time.
  class RandomAccessReader : public Reader {
   public:
    explicit RandomAccessReader(std::function<LoadImage(int64_t)> make)
        : make_(std::move(make)) {}
    absl::StatusOr<LoadImage> Next(int64_t position) override { return make_(position); }

   private:
    std::function<LoadImage(int64_t)> make_;
  };
};

std::unique_ptr<SourcePart> FolderPart(const std::string& path);
std::unique_ptr<SourcePart> ArchivePart(const std::string& path);
std::unique_ptr<SourcePart> PackedPart(const std::string& path);
std::unique_ptr<SourcePart> NpyPart(const std::string& path);
std::unique_ptr<SourcePart> CifarPart(const std::string& path, int num_classes);
std::unique_ptr<SourcePart> ListPart(const std::string& path);
std::unique_ptr<SourcePart> VideoPart(const std::string& path, int64_t every);
std::unique_ptr<SourcePart> DeadLeavesPart(uint64_t seed, int64_t count);
// Gratings, noise and uniform greys (parametric.h).
std::unique_ptr<SourcePart> ParametricPart(const ImageOptions& options);

// By its extension.
bool IsVideoPath(absl::string_view path);

// Whether the path names an image that is not hidden.
bool IsImagePath(absl::string_view path);

// Ids and label names from paths inside a folder or archive.
std::vector<ImageEntry> EntriesFromPaths(const std::vector<std::string>& paths,
                                         const std::string& source);

}  // namespace iat

#endif  // IAT_IMAGES_SOURCE_PART_H_
