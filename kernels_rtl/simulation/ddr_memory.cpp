// SPDX-License-Identifier: Apache-2.0
// The bytes behind ddr_model.sv, one of:
//   - a flat memory from address 0, as large as that module says, or as what it begins with: the
//     file that the variable DDR_IMAGE names. At the end all of it goes to that of DDR_DUMP;
//   - the file that DDR_SHARED names, from address DDR_BASE on, which other processes map as well.
//
// Memory can be made to fail, for tests of what then happens. A testbench calls the functions for
// that, ddr_fail to ddr_mend; they hold for all memories of the process.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <svdpi.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr std::size_t kWordBytes = 16;
using Word = std::array<std::uint64_t, 2>;  // the low half comes first

class Memory {
 public:
  explicit Memory(std::size_t bytes) : own_(bytes) { use(own_.data(), bytes, 0); }

  bool holds(std::uint64_t address) const {
    const std::uint64_t offset = address - base_;  // below the base: a large one
    return offset <= size_ && size_ - offset >= kWordBytes;
  }

  std::uint8_t* at(std::uint64_t address) { return bytes_ + (address - base_); }

  bool load(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return false;
    const std::streamoff size = file.tellg();
    if (size > static_cast<std::streamoff>(own_.size())) own_.resize(size);
    use(own_.data(), own_.size(), 0);
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes_), size);
    return file.good();
  }

  bool share(const std::string& path, std::uint64_t base) {
    const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) return false;
    void* bytes = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (bytes == MAP_FAILED) return false;
    use(static_cast<std::uint8_t*>(bytes), status.st_size, base);
    return true;
  }

  bool save(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes_), static_cast<std::streamsize>(size_));
    return file.good();
  }

 private:
  void use(std::uint8_t* bytes, std::size_t size, std::uint64_t base) {
    bytes_ = bytes;
    size_ = size;
    base_ = base;
  }

  std::vector<std::uint8_t> own_;
  std::uint8_t* bytes_;  // the own ones, or mapped until the process ends
  std::size_t size_;
  std::uint64_t base_;
};

struct Faults {
  bool frozen = false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> failing;  // first and last byte
  std::map<int, Word> flipped;                                   // bits of words, by read port

  bool fails(std::uint64_t address) const {
    for (const auto& [first, last] : failing) {
      if (address <= last && first < address + kWordBytes) return true;
    }
    return false;
  }
};

Faults faults;

}  // namespace

extern "C" {

// Null if a file cannot be read.
void* ddr_create(int megabytes) {
  const char* image = std::getenv("DDR_IMAGE");
  const char* shared = std::getenv("DDR_SHARED");
  const char* base = std::getenv("DDR_BASE");
  auto* memory = new Memory(shared ? 0 : static_cast<std::size_t>(megabytes) << 20);
  if ((image == nullptr || memory->load(image)) &&
      (shared == nullptr || memory->share(shared, base ? std::strtoull(base, nullptr, 0) : 0))) {
    return memory;
  }
  delete memory;
  return nullptr;
}

// Whether all went well.
svBit ddr_destroy(void* memory) {
  auto* bytes = static_cast<Memory*>(memory);
  const char* path = std::getenv("DDR_DUMP");
  const bool good = path == nullptr || bytes->save(path);
  delete bytes;
  return good;
}

// These say whether the answer is good: the address lies in memory, and nothing is to fail there.
svBit ddr_read(void* memory, int port, long long address, svBitVecVal* word) {
  auto* bytes = static_cast<Memory*>(memory);
  if (!bytes->holds(address) || faults.fails(address)) {
    std::memset(word, 0, kWordBytes);
    return 0;
  }
  Word read;
  std::memcpy(read.data(), bytes->at(address), kWordBytes);
  const auto flipped = faults.flipped.find(port);
  if (flipped != faults.flipped.end()) {
    for (std::size_t half = 0; half < read.size(); ++half) read[half] ^= flipped->second[half];
  }
  std::memcpy(word, read.data(), kWordBytes);
  return 1;
}

svBit ddr_write(void* memory, long long address, const svBitVecVal* word,
                const svBitVecVal* strobe) {
  auto* bytes = static_cast<Memory*>(memory);
  if (!bytes->holds(address) || faults.fails(address)) return 0;
  std::uint8_t from[kWordBytes];
  std::memcpy(from, word, kWordBytes);
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    if (*strobe >> i & 1) bytes->at(address)[i] = from[i];
  }
  return 1;
}

// Whether memory has stopped.
svBit ddr_frozen() { return faults.frozen; }

void ddr_freeze(bool on) { faults.frozen = on; }

// From now on, reads and writes that touch these bytes are answered with an error.
void ddr_fail(std::uint64_t first, std::uint64_t last) { faults.failing.emplace_back(first, last); }

// From now on, these bits of all words that the port reads are flipped.
void ddr_corrupt(int port, std::uint64_t high, std::uint64_t low) {
  faults.flipped[port] = {low, high};
}

// All is well again.
void ddr_mend() { faults = Faults(); }

}  // extern "C"
