// SPDX-License-Identifier: Apache-2.0
// hls::stream for a plain C++ compiler. Only such builds have this folder on their include path;
// Vitis HLS brings its own header.
//
// Differences from a queue that make mistakes visible: reading an empty stream is the deadlock
// that hardware would show, and data left over at destruction is a write that nobody reads. Both
// print the stream's name and abort. The depth bounds hardware only: C simulation runs the
// processes of a dataflow region one after the other, so each stream must hold all its data.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace hls {

template <typename T, int DEPTH = 0>
class stream {
public:
    stream() : name_("unnamed") {}
    explicit stream(const char* name) : name_(name) {}

    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    ~stream() {
        if (!empty()) fail("data left over at the end");
    }

    void write(const T& value) {
        if (count_ == ring_.size()) grow();
        ring_[(first_ + count_) & (ring_.size() - 1)] = value;
        ++count_;
    }

    T read() {
        if (empty()) fail("deadlock: read while empty");
        const std::size_t index = first_;
        first_ = (first_ + 1) & (ring_.size() - 1);
        --count_;
        return ring_[index];
    }

    void read(T& value) { value = read(); }

    bool read_nb(T& value) {
        if (empty()) return false;
        value = read();
        return true;
    }

    bool write_nb(const T& value) {
        write(value);
        return true;
    }

    bool empty() const { return count_ == 0; }
    bool full() const { return false; }
    std::size_t size() const { return count_; }

    void operator<<(const T& value) { write(value); }
    void operator>>(T& value) { value = read(); }

private:
    // The ring's size is a power of two.
    void grow() {
        std::vector<T> larger(ring_.empty() ? 16 : 2 * ring_.size());
        for (std::size_t i = 0; i < count_; ++i)
            larger[i] = ring_[(first_ + i) & (ring_.size() - 1)];
        ring_.swap(larger);
        first_ = 0;
    }

    void fail(const char* what) const {
        std::fprintf(stderr, "hls::stream '%s': %s (%zu elements)\n", name_.c_str(), what, count_);
        std::abort();
    }

    std::string name_;
    std::vector<T> ring_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace hls
