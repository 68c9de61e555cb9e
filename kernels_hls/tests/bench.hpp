// SPDX-License-Identifier: Apache-2.0
// What the kernel benches share. A bench gets one binary file, made from the golden functions:
// stimulus and expected values, little-endian. It ends with exit code 1 and a line that names the
// first value that differs, or 0.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "types.hpp"

class Vectors {
public:
    explicit Vectors(int argc, char** argv) {
        if (argc != 2) stop("usage: BENCH FILE");
        std::ifstream file(argv[1], std::ios::binary);
        if (!file) stop("cannot read the file of vectors");
        bytes_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }

    bool at_end() const { return position_ == bytes_.size(); }

    template <typename T>
    T next() {
        T value;
        take(&value, sizeof(T));
        return value;
    }

    template <typename T>
    std::vector<T> next(std::size_t count) {
        std::vector<T> values(count);
        take(values.data(), count * sizeof(T));
        return values;
    }

private:
    static void stop(const char* what) {
        std::printf("%s\n", what);
        std::exit(2);
    }

    void take(void* to, std::size_t size) {
        if (position_ + size > bytes_.size()) stop("the file of vectors is too short");
        char* bytes = static_cast<char*>(to);
        for (std::size_t i = 0; i < size; ++i) bytes[i] = bytes_[position_ + i];
        position_ += size;
    }

    std::vector<char> bytes_;
    std::size_t position_ = 0;
};

// Ends the bench at the first difference.
inline void expect(const std::string& what, long long expected, long long found) {
    if (expected == found) return;
    std::printf("%s: expected %lld, found %lld\n", what.c_str(), expected, found);
    std::exit(1);
}

inline std::string at(const std::string& what, long long a) {
    return what + "[" + std::to_string(a) + "]";
}

inline std::string at(const std::string& what, long long a, long long b) {
    return at(at(what, a), b);
}

inline int passed(const char* what, unsigned long long count) {
    std::printf("%s: %llu values equal\n", what, count);
    return 0;
}
