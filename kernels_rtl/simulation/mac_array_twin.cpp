// SPDX-License-Identifier: Apache-2.0
// Arithmetic of kernels_rtl/mac_array_twin.sv. Vectors are packed as SystemVerilog packs them:
// element 0 in the lowest bits of 32-bit words.

#include <array>
#include <cstdint>
#include <cstring>

#include <svdpi.h>

namespace {

constexpr int kMaxLanes = 64;
constexpr int kWordBits = 32;

// Lanes beyond the array's own stay zero, so that loops have a fixed length. Sixteen bits let the
// compiler use multiply-and-add instructions.
using Vector = std::array<std::int16_t, kMaxLanes>;
using Tile = std::array<Vector, kMaxLanes>;  // [channel][lane]

class Array {
 public:
  Array(int lanes, int sum_bits) : lanes_(lanes), sum_bits_(sum_bits) {}

  void load(int channel, const svBitVecVal* weights) { next_[channel] = unpack(weights); }

  void swap() { live_ = next_; }

  void multiply(const svBitVecVal* row, svBitVecVal* sums) const {
    const Vector activations = unpack(row);
    const std::uint64_t mask = (std::uint64_t{1} << sum_bits_) - 1;
    std::uint64_t pending = 0;
    int pending_bits = 0;
    for (int channel = 0; channel < lanes_; ++channel) {
      const auto sum = static_cast<std::uint64_t>(dot(live_[channel], activations));
      pending |= (sum & mask) << pending_bits;
      pending_bits += sum_bits_;
      if (pending_bits >= kWordBits) {
        *sums++ = static_cast<svBitVecVal>(pending);
        pending >>= kWordBits;
        pending_bits -= kWordBits;
      }
    }
    if (pending_bits > 0) *sums = static_cast<svBitVecVal>(pending);
  }

 private:
  static std::int64_t dot(const Vector& left, const Vector& right) {
    std::int32_t sum = 0;
    for (int lane = 0; lane < kMaxLanes; ++lane) sum += left[lane] * right[lane];
    return sum;
  }

  Vector unpack(const svBitVecVal* packed) const {
    std::array<std::int8_t, kMaxLanes> bytes{};
    std::memcpy(bytes.data(), packed, lanes_);
    Vector vector;
    for (int lane = 0; lane < kMaxLanes; ++lane) vector[lane] = bytes[lane];
    return vector;
  }

  int lanes_;
  int sum_bits_;
  Tile next_{};
  Tile live_{};
};

}  // namespace

extern "C" {

void* mac_array_twin_create(int lanes, int sum_bits) { return new Array(lanes, sum_bits); }

void mac_array_twin_destroy(void* array) { delete static_cast<Array*>(array); }

void mac_array_twin_swap(void* array) { static_cast<Array*>(array)->swap(); }

void mac_array_twin_load(void* array, int channel, const svBitVecVal* weights) {
  static_cast<Array*>(array)->load(channel, weights);
}

void mac_array_twin_multiply(void* array, const svBitVecVal* row, svBitVecVal* sums) {
  static_cast<const Array*>(array)->multiply(row, sums);
}

}  // extern "C"
