// What images/augment.h does to one view, by the threads of one block: CUDA C that a GPU's
// own compiler makes a kernel of at run time (models/cuda_program.h), and that the test
// beside it compiles as C++ for a block of one thread, to hold it against the CPU's bytes.
//
// Includes nothing: neither compiler brings a library. Everything is whole numbers, or
// floating point operation by operation as images/augment.cc has it.

#ifdef __CUDACC__
#define IAT_DEVICE __device__ static
#define IAT_SHARED __shared__
IAT_DEVICE int Thread() { return threadIdx.x; }
IAT_DEVICE int NumThreads() { return blockDim.x; }
IAT_DEVICE void Wait() { __syncthreads(); }
IAT_DEVICE void Add(int* sum, int value) { atomicAdd(sum, value); }
#else
#define IAT_DEVICE static
#define IAT_SHARED
IAT_DEVICE int Thread() { return 0; }
IAT_DEVICE int NumThreads() { return 1; }
IAT_DEVICE void Wait() {}
IAT_DEVICE void Add(int* sum, int value) { *sum += value; }
#endif

// The two structs are those of training/device_augment.cc, member by member.
struct ViewNumbers {
  int image;
  int top, left, height, width;
  int flip, grey, jitter, solarize;
  int order[4];  // 0 brightness, 1 contrast, 2 saturation, 3 hue
  float brightness, contrast, saturation;
  int hue_shift;
  int blur_radius;  // -1: no blur
  unsigned blur_inside, blur_end;
};
struct ChainNumbers {
  int image_height, image_width;
  int work_size, size;
  int bicubic, grayscale_first;
  int uses[4];  // the operations of order
  int max_taps;  // of any resize of this chain
  int scratch_bytes;
  float mean[3], deviation[3];
};

// Inputs [first, first + taps) of every output of one direction of a resize.
struct Axis {
  int* first;
  int* taps;
  int* weights;  // max_taps an output
  int max_taps;
};

IAT_DEVICE double FilterAt(bool bicubic, double x) {
  x = x < 0.0 ? -x : x;
  if (!bicubic) return x < 1.0 ? 1.0 - x : 0.0;
  const double a = -0.5;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

IAT_DEVICE void SetAxis(int length, int n, bool bicubic, const Axis& axis) {
  const double step = (double)length / n;
  const double scale = step > 1.0 ? step : 1.0;
  const double support = (bicubic ? 2.0 : 1.0) * scale;
  for (int i = Thread(); i < n; i += NumThreads()) {
    const double centre = (i + 0.5) * step;
    int first = (int)(centre - support + 0.5);
    first = first < 0 ? 0 : first;
    int end = (int)(centre + support + 0.5);
    end = end > length ? length : end;
    double sum = 0.0;
    for (int j = first; j < end; ++j) sum += FilterAt(bicubic, (j - centre + 0.5) / scale);
    int* weights = axis.weights + i * axis.max_taps;
    for (int j = first; j < end; ++j) {
      const double weight =
          FilterAt(bicubic, (j - centre + 0.5) / scale) / sum * (1 << 22);
      weights[j - first] = (int)(weight < 0.0 ? weight - 0.5 : weight + 0.5);
    }
    axis.first[i] = first;
    axis.taps[i] = end - first;
  }
}

IAT_DEVICE unsigned char WeightedByte(int sum) {
  sum >>= 22;
  return (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

// Output i of an axis, from inputs `stride` apart.
IAT_DEVICE unsigned char Resampled(const unsigned char* in, int stride, const Axis& axis,
                                   int i) {
  const int* weights = axis.weights + i * axis.max_taps;
  in += axis.first[i] * stride;
  int sum = 1 << 21;
  for (int t = 0; t < axis.taps[i]; ++t) sum += weights[t] * in[t * stride];
  return WeightedByte(sum);
}

IAT_DEVICE int GreyOf(int red, int green, int blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

IAT_DEVICE unsigned char Blended(float base, float value, float factor) {
  float blended = base + factor * (value - base);
  blended = blended < 0.0f ? 0.0f : blended > 255.0f ? 255.0f : blended;
  return (unsigned char)(int)blended;
}

IAT_DEVICE void ToGrey(unsigned char* planes, int area) {
  for (int i = Thread(); i < area; i += NumThreads()) {
    const unsigned char grey =
        (unsigned char)GreyOf(planes[i], planes[area + i], planes[2 * area + i]);
    planes[i] = planes[area + i] = planes[2 * area + i] = grey;
  }
}

IAT_DEVICE void ChangeBrightness(unsigned char* planes, int area, float factor) {
  for (int i = Thread(); i < 3 * area; i += NumThreads()) {
    planes[i] = Blended(0.0f, planes[i], factor);
  }
}

IAT_DEVICE void ChangeContrast(unsigned char* planes, int area, float factor) {
  IAT_SHARED int total;
  if (Thread() == 0) total = 0;
  Wait();
  int sum = 0;
  for (int i = Thread(); i < area; i += NumThreads()) {
    sum += GreyOf(planes[i], planes[area + i], planes[2 * area + i]);
  }
  Add(&total, sum);
  Wait();
  const float mean = (float)(int)((double)total / area + 0.5);
  for (int i = Thread(); i < 3 * area; i += NumThreads()) {
    planes[i] = Blended(mean, planes[i], factor);
  }
}

IAT_DEVICE void ChangeSaturation(unsigned char* planes, int area, float factor) {
  for (int i = Thread(); i < area; i += NumThreads()) {
    const float grey =
        (float)GreyOf(planes[i], planes[area + i], planes[2 * area + i]);
    for (int c = 0; c < 3; ++c) {
      planes[c * area + i] = Blended(grey, planes[c * area + i], factor);
    }
  }
}

// How much of the saturation an 8-bit hue takes from a channel (HueTable).
IAT_DEVICE float HueShare(int hue, int channel) {
  const double turn = hue * 6.0 / 255.0;
  const int sector = (int)turn;
  const float rising = (float)(turn - sector);
  const float falling = (float)(1.0 - rising);
  // Each channel runs through the same six, a third of the circle after the other.
  switch ((sector + 6 - 2 * channel) % 6) {
    case 0:
    case 5:
      return 0.0f;
    case 1:
      return rising;
    case 4:
      return falling;
    default:
      return 1.0f;
  }
}

IAT_DEVICE void ChangeHue(unsigned char* planes, int area, int shift) {
  for (int i = Thread(); i < area; i += NumThreads()) {
    const int r = planes[i], g = planes[area + i], b = planes[2 * area + i];
    const int rg = r > g ? r : g, high = rg > b ? rg : b;
    const int least = r < g ? r : g, low = least < b ? least : b;
    const bool coloured = high != low;
    const float spread = (float)(coloured ? high - low : 1);
    const float rc = (float)(high - r) / spread;
    const float gc = (float)(high - g) / spread;
    const float bc = (float)(high - b) / spread;
    const float sixths = r == high   ? bc - gc
                         : g == high ? (float)(2.0 + rc - bc)
                                     : (float)(4.0 + gc - rc);
    double turn = sixths / 6.0 + 1.0;
    turn = turn >= 1.0 ? turn - 1.0 : turn;
    const float s = spread / (float)(high > 1 ? high : 1);
    const int hue = coloured ? (int)((float)turn * 255.0) : 0;
    const float saturation = (float)(coloured ? (int)(s * 255.0) : 0) / 255.0f;
    for (int c = 0; c < 3; ++c) {
      const float share = HueShare((hue + shift) & 255, c);
      planes[c * area + i] =
          (unsigned char)(int)((float)high * (1.0f - saturation * share) + 0.5f);
    }
  }
}

// One box pass of all three planes, along rows (step 1) or columns (step side).
IAT_DEVICE void BoxPass(const ViewNumbers& view, const unsigned char* in, int side,
                        bool along_rows, unsigned char* out) {
  const int area = side * side, step = along_rows ? 1 : side;
  for (int i = Thread(); i < 3 * area; i += NumThreads()) {
    const int place = along_rows ? i % side : i % area / side;
    const unsigned char* line = in + i - place * step;
    unsigned inside = 0, ends = 0;
    for (int k = -view.blur_radius - 1; k <= view.blur_radius + 1; ++k) {
      const int at = place + k;
      const int kept = at < 0 ? 0 : at >= side ? side - 1 : at;
      if (k < -view.blur_radius || k > view.blur_radius) {
        ends += line[kept * step];
      } else {
        inside += line[kept * step];
      }
    }
    out[i] = (unsigned char)((view.blur_inside * inside + view.blur_end * ends +
                              (1u << 23)) >>
                             24);
  }
  Wait();
}

IAT_DEVICE void AugmentView(const unsigned char* images, const ViewNumbers& view,
                            const ChainNumbers& chain, unsigned char* scratch,
                            float* out) {
  const int side = chain.work_size, area = side * side;
  Axis columns, rows;
  columns.max_taps = rows.max_taps = chain.max_taps;
  columns.first = (int*)scratch;
  columns.taps = columns.first + side;
  columns.weights = columns.taps + side;
  rows.first = columns.weights + side * chain.max_taps;
  rows.taps = rows.first + side;
  rows.weights = rows.taps + side;
  unsigned char* planes = (unsigned char*)(rows.weights + side * chain.max_taps);
  unsigned char* other = planes + 3 * area;  // max(image_height, side) x side x 3

  const bool bicubic = chain.bicubic != 0;
  SetAxis(view.width, side, bicubic, columns);
  SetAxis(view.height, side, bicubic, rows);
  Wait();
  const int pitch = 3 * chain.image_width;
  const unsigned char* crop =
      images + (long long)view.image * chain.image_height * pitch + view.top * pitch +
      3 * view.left;
  for (int i = Thread(); i < view.height * side; i += NumThreads()) {
    for (int c = 0; c < 3; ++c) {
      other[3 * i + c] = Resampled(crop + i / side * pitch + c, 3, columns, i % side);
    }
  }
  Wait();
  for (int i = Thread(); i < area; i += NumThreads()) {
    for (int c = 0; c < 3; ++c) {
      planes[c * area + i] =
          Resampled(other + 3 * (i % side) + c, 3 * side, rows, i / side);
    }
  }
  Wait();

  if (view.grey && chain.grayscale_first) ToGrey(planes, area);
  Wait();
  for (int turn = 0; view.jitter && turn < 4; ++turn) {
    const int operation = view.order[turn];
    if (!chain.uses[operation]) continue;
    if (operation == 0) ChangeBrightness(planes, area, view.brightness);
    if (operation == 1) ChangeContrast(planes, area, view.contrast);
    if (operation == 2) ChangeSaturation(planes, area, view.saturation);
    if (operation == 3) ChangeHue(planes, area, view.hue_shift);
    Wait();
  }
  if (view.grey && !chain.grayscale_first) ToGrey(planes, area);
  Wait();
  if (view.blur_radius >= 0) {
    for (int pass = 0; pass < 6; ++pass) {
      BoxPass(view, pass % 2 == 0 ? planes : other, side, pass < 3,
              pass % 2 == 0 ? other : planes);
    }
  }
  if (view.solarize) {
    for (int i = Thread(); i < 3 * area; i += NumThreads()) {
      if (planes[i] >= 128) planes[i] = (unsigned char)(255 - planes[i]);
    }
  }
  Wait();

  const int size = chain.size;
  if (size != side) {
    SetAxis(side, size, false, columns);
    Wait();
    for (int i = Thread(); i < 3 * side * size; i += NumThreads()) {
      other[i] = Resampled(planes + i / size * side, 1, columns, i % size);
    }
    Wait();
    for (int i = Thread(); i < 3 * size * size; i += NumThreads()) {
      const int c = i / (size * size), place = i % (size * size);
      planes[i] = Resampled(other + c * side * size + place % size, size, columns,
                            place / size);
    }
    Wait();
  }
  for (int i = Thread(); i < 3 * size * size; i += NumThreads()) {
    const int c = i % 3, x = i / 3 % size, y = i / (3 * size);
    const int from = view.flip ? size - 1 - x : x;
    out[i] = ((float)planes[(c * size + y) * size + from] / 255.0f - chain.mean[c]) /
             chain.deviation[c];
  }
}

#ifdef __CUDACC__
// One block a view; out: views x size x size x 3.
extern "C" __global__ void AugmentViews(const unsigned char* images,
                                        const ViewNumbers* views, ChainNumbers chain,
                                        unsigned char* scratch, float* out) {
  AugmentView(images, views[blockIdx.x], chain,
              scratch + (long long)blockIdx.x * chain.scratch_bytes,
              out + (long long)blockIdx.x * chain.size * chain.size * 3);
}
#endif
