// SPDX-License-Identifier: Apache-2.0
// The bytes behind ddr_model.sv: a flat memory from address 0, as large as that module says, or as
// what it begins with: the file that the variable DDR_IMAGE names. At the end all of it goes to that
// of DDR_DUMP.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <svdpi.h>

namespace {

constexpr std::size_t kWordBytes = 16;

class Memory {
 public:
  explicit Memory(std::size_t bytes) : bytes_(bytes) {}

  bool holds(std::uint64_t address) const {
    return address <= bytes_.size() && bytes_.size() - address >= kWordBytes;
  }

  std::uint8_t* at(std::uint64_t address) { return bytes_.data() + address; }

  bool load(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return false;
    const std::streamoff size = file.tellg();
    if (size > static_cast<std::streamoff>(bytes_.size())) bytes_.resize(size);
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes_.data()), size);
    return file.good();
  }

  bool save(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes_.data()),
               static_cast<std::streamsize>(bytes_.size()));
    return file.good();
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

extern "C" {

// Null if the image cannot be read.
void* ddr_create(int megabytes) {
  auto* memory = new Memory(static_cast<std::size_t>(megabytes) << 20);
  const char* path = std::getenv("DDR_IMAGE");
  if (path == nullptr || memory->load(path)) return memory;
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

// These say whether the address lies in memory.
svBit ddr_read(void* memory, long long address, svBitVecVal* word) {
  auto* bytes = static_cast<Memory*>(memory);
  if (!bytes->holds(address)) {
    std::memset(word, 0, kWordBytes);
    return 0;
  }
  std::memcpy(word, bytes->at(address), kWordBytes);
  return 1;
}

svBit ddr_write(void* memory, long long address, const svBitVecVal* word,
                const svBitVecVal* strobe) {
  auto* bytes = static_cast<Memory*>(memory);
  if (!bytes->holds(address)) return 0;
  std::uint8_t from[kWordBytes];
  std::memcpy(from, word, kWordBytes);
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    if (*strobe >> i & 1) bytes->at(address)[i] = from[i];
  }
  return 1;
}

}  // extern "C"
