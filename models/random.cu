// Numbers of a random stream (base/random.h), each made by a thread of its own: CUDA C,
// compiled at run time (models/cuda_program.h) or, in a test, as C++. Includes nothing.

#ifdef __CUDACC__
#define IAT_RANDOM_DEVICE __device__ static
#else
#define IAT_RANDOM_DEVICE static
#endif

struct StreamNumbers {
  unsigned key[2];
  unsigned counter[4];  // of the stream's next block
};

IAT_RANDOM_DEVICE unsigned HighWord(unsigned a, unsigned b) {
  return (unsigned)((unsigned long long)a * b >> 32);
}

// Word `index` of what the stream has still to give. Philox4x32-10, Salmon et al., SC
// 2011.
IAT_RANDOM_DEVICE unsigned WordAt(const StreamNumbers& stream, long long index) {
  unsigned c0 = stream.counter[0] + (unsigned)(index >> 2), c1 = stream.counter[1],
           c2 = stream.counter[2], c3 = stream.counter[3];
  unsigned key0 = stream.key[0], key1 = stream.key[1];
  for (int round = 0; round < 10; ++round) {
    const unsigned high0 = HighWord(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const unsigned high1 = HighWord(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  const int word = (int)(index & 3);
  return word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
}

// Number `index` of those that UniformInt(limit) gives, 0 < limit < 2^32, without its
// rejections.
IAT_RANDOM_DEVICE long long IntegerAt(const StreamNumbers& stream, unsigned limit,
                                      long long index) {
  const unsigned high = WordAt(stream, 2 * index), low = WordAt(stream, 2 * index + 1);
  const unsigned long long carry = (unsigned long long)low * limit >> 32;
  return (long long)(((unsigned long long)high * limit + carry) >> 32);
}

#ifdef __CUDACC__
extern "C" __global__ void Integers(StreamNumbers stream, unsigned limit, long long n,
                                    long long* out) {
  const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = IntegerAt(stream, limit, i);
}

// Twice the bits of the words, the lowest first; a thread a word.
template <typename T>
__device__ static void Twos(const StreamNumbers& stream, T two, long long n, T* out) {
  const long long word = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (32 * word >= n) return;
  unsigned bits = WordAt(stream, word);
  const long long end = 32 * word + 32 < n ? 32 * word + 32 : n;
  for (long long i = 32 * word; i < end; ++i, bits >>= 1) out[i] = bits & 1 ? two : 0;
}
extern "C" __global__ void FloatTwos(StreamNumbers stream, long long n, float* out) {
  Twos(stream, 2.0f, n, out);
}
// bfloat16's 2 is the upper half of float's.
extern "C" __global__ void Bfloat16Twos(StreamNumbers stream, long long n,
                                        unsigned short* out) {
  Twos(stream, (unsigned short)0x4000, n, out);
}
#endif
