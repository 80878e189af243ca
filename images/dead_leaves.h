// Dead leaves: procedural pictures with the statistics of natural images, so
// that everything runs without a data set.
//
// A picture is a pile of opaque shapes seen from above: ellipses, polygons and
// bars with sizes of density ~ r^-q (q about 3: every scale covers as much area),
// in colours from one small palette per picture, with 1/f textures, shading and
// shadows, under one light. It is rendered front to back at twice the resolution
// and reduced with a filter that leaves a slight blur. Palettes, sizes, shapes,
// textures, light and sharpness vary from picture to picture.
//
// Spectrum  radially averaged luminance power falls about as 1/f^2.
// Source    Ruderman, Vision Research 37 (1997); Lee, Mumford & Huang, IJCV 41
//           (2001); Baradad et al., NeurIPS 2021 (networks learn from them).
//
// A picture is a function of (seed, index) alone, the same on any thread.
//
// Example:
//   const DeadLeaves world(7);
//   Image image = world.Render(12);

#ifndef IAT_IMAGES_DEAD_LEAVES_H_
#define IAT_IMAGES_DEAD_LEAVES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "images/image.h"

namespace iat {

class DeadLeaves {
 public:
  static constexpr int kSide = 64;

  // Prepares the textures that all pictures of the seed share.
  explicit DeadLeaves(uint64_t seed);
  DeadLeaves(DeadLeaves&&) noexcept;
  DeadLeaves& operator=(DeadLeaves&&) noexcept;
  ~DeadLeaves();

  // 64 x 64. Safe to call from several threads.
  Image Render(int64_t index) const;

  // "dead-leaves-7-000012".
  std::string Id(int64_t index) const;

 private:
  struct World;
  std::unique_ptr<const World> world_;
};

}  // namespace iat

#endif  // IAT_IMAGES_DEAD_LEAVES_H_
