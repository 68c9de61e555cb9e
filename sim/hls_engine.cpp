// SPDX-License-Identifier: Apache-2.0
// The emitted C++ engine behind hls_engine.sv: what a run reads comes word by word over the buses
// into a shadow of the memory, at the same addresses, one shadow for each port; then the engine's
// top function runs on the shadows; then its output goes back word by word.
//
// A port reads its own words alone. What the top function takes from another port's words is zero.
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include <svdpi.h>

#include "hwgen_engine.hpp"
#include "kernels/movers.hpp"

namespace {

const uint64_t BURST_BYTES = 1024;  // no burst crosses a multiple of this
const std::size_t PAGE_WORDS = PAGE_BEATS * PORTS;
typedef std::vector<word_t> Words;

// Consecutive words of the bus, and their place in the engine's memory.
struct Burst {
    uint64_t address;
    unsigned words;
    Words* memory;
    std::size_t index;
};

// Bursts of `words` words from byte address `address`.
void add_bursts(std::deque<Burst>& bursts, uint64_t address, uint64_t words, Words& memory,
                std::size_t index) {
    while (words != 0) {
        const uint64_t room = (BURST_BYTES - address % BURST_BYTES) / WORD_BYTES;
        const unsigned now = unsigned(words < room ? words : room);
        bursts.push_back({address, now, &memory, index});
        address += now * WORD_BYTES;
        index += now;
        words -= now;
    }
}

struct Port {
    uint64_t base = 0;
    Words shadow;                  // from `base` on
    std::deque<Burst> wanted;
    std::deque<Burst> under_way;   // the first one is being received
    unsigned received = 0;         // of its words
};

class Engine {
public:
    void base(int port, uint64_t address) { ports_[port].base = address; }

    void start(uint64_t output, uint64_t program, uint64_t weights, uint64_t input) {
        for (Port& port : ports_) {
            port.wanted.clear();
            port.under_way.clear();  // a reset in mid-run leaves some
            port.received = 0;
            port.shadow.clear();
        }
        written_.clear();
        announced_ = filled_ = answered_ = 0;
        given_ = 0;
        output_.clear();
        output_address_ = output;
        program_ = program;
        weights_ = weights;
        input_ = input;
        failed_ = false;
        error_ = ERROR_NONE;
        phase_ = HEADER;
        read_linear(program, INSTRUCTION_BYTES);
    }

    bool read(int index, uint64_t& address, unsigned& words) {
        Port& port = ports_[index];
        if (port.wanted.empty()) return false;
        const Burst burst = port.wanted.front();
        port.wanted.pop_front();
        port.under_way.push_back(burst);
        address = burst.address;
        words = burst.words;
        return true;
    }

    void take(int index, const word_t& word, bool failed) {
        Port& port = ports_[index];
        const Burst& burst = port.under_way.front();
        const std::size_t place = burst.index + port.received;
        failed_ = failed_ || failed;
        // After a failure sizes are not to be trusted: what is still to be read is not read.
        if (failed_) {
            for (Port& each : ports_) each.wanted.clear();
        } else {
            grow(*burst.memory, place + 1);
            (*burst.memory)[place] = word;
        }
        if (++port.received == burst.words) {
            port.under_way.pop_front();
            port.received = 0;
        }
    }

    bool write(uint64_t& address, unsigned& words) {
        if (announced_ == written_.size()) return false;
        address = written_[announced_].address;
        words = written_[announced_].words;
        ++announced_;
        return true;
    }

    bool give(word_t& word, bool& last) {
        if (filled_ == announced_) return false;
        const Burst& burst = written_[filled_];
        word = (*burst.memory)[burst.index + given_];
        last = ++given_ == burst.words;
        if (last) {
            ++filled_;
            given_ = 0;
        }
        return true;
    }

    void answer(bool failed) {
        ++answered_;
        failed_ = failed_ || failed;
    }

    // Whether the run is over.
    bool step() {
        for (const Port& port : ports_)
            if (!port.wanted.empty() || !port.under_way.empty()) return false;
        if (answered_ != written_.size()) return false;
        if (failed_ && phase_ != OUTPUT) {
            error_ = ERROR_MEMORY;
            return true;
        }
        switch (phase_) {
            case HEADER:
                phase_ = BODY;
                if (header_error(header()) == ERROR_NONE) want_body();
                return false;
            case BODY:
                phase_ = OUTPUT;
                run();
                return false;
            default:
                if (failed_ && error_ == ERROR_NONE) error_ = ERROR_MEMORY;
                return true;
        }
    }

    unsigned error() const { return error_; }

private:
    enum Phase { HEADER, BODY, OUTPUT };

    static void grow(Words& words, std::size_t size) {
        if (words.size() < size) words.resize(size, word_t(0));
    }

    instruction_t header() const {
        return read_instruction(ports_[0].shadow.data(), program_ / WORD_BYTES);
    }

    unsigned header_word(unsigned index) const {
        return header().range(32 * index + 31, 32 * index).to_uint();
    }

    void read_linear(uint64_t address, uint64_t bytes) {
        Port& port = ports_[0];
        add_bursts(port.wanted, port.base + address, bytes / WORD_BYTES, port.shadow,
                   address / WORD_BYTES);
    }

    // Each port's words of a striped region.
    void read_striped(uint64_t address, uint64_t beats) {
        for (unsigned p = 0; p < PORTS; ++p) {
            Port& port = ports_[p];
            uint64_t place = address + p * PAGE_BEATS * WORD_BYTES;
            for (uint64_t left = beats; left != 0;) {
                const uint64_t now = left < PAGE_BEATS ? left : PAGE_BEATS;
                add_bursts(port.wanted, port.base + place, now, port.shadow, place / WORD_BYTES);
                place += PAGE_WORDS * WORD_BYTES;
                left -= now;
            }
        }
    }

    void want_body() {
        read_linear(program_ + INSTRUCTION_BYTES, uint64_t(header_word(3)) * INSTRUCTION_BYTES);
        read_striped(weights_, header_word(4));
        read_striped(input_, header_word(5));
        // What the program leaves alone is written back as it was.
        add_bursts(ports_[0].wanted, output_address_, uint64_t(header_word(6)) * VECTOR_WORDS,
                   output_, 0);
    }

    // The engine reads whole pages, beyond the last beat of a region too.
    std::size_t end_of(uint64_t address, uint64_t beats) const {
        return address / WORD_BYTES + (beats + PAGE_BEATS - 1) / PAGE_BEATS * PAGE_WORDS;
    }

    void run() {
        const bool known = header_error(header()) == ERROR_NONE;
        for (Port& port : ports_) {
            if (!known) continue;
            grow(port.shadow, end_of(weights_, header_word(4)));
            grow(port.shadow, end_of(input_, header_word(5)));
        }
        ap_uint<32> error = 0;
        call(std::make_index_sequence<PORTS>(), error);
        error_ = error.to_uint();
        add_bursts(written_, output_address_, output_.size(), output_, 0);
    }

    template <std::size_t... P>
    void call(std::index_sequence<P...>, ap_uint<32>& error) {
        hwgen_engine(ports_[P].shadow.data()..., output_.data(), program_, weights_, input_, error);
    }

    Port ports_[PORTS];
    Words output_;
    uint64_t output_address_ = 0, program_ = 0, weights_ = 0, input_ = 0;
    std::deque<Burst> written_;
    std::size_t announced_ = 0, filled_ = 0, answered_ = 0;  // of written_
    unsigned given_ = 0;                                     // words of the next to be filled
    bool failed_ = false;
    unsigned error_ = ERROR_NONE;
    Phase phase_ = HEADER;
};

Engine& engine_of(void* handle) { return *static_cast<Engine*>(handle); }

}  // namespace

extern "C" {

void* hls_engine_create() { return new Engine; }

void hls_engine_destroy(void* handle) { delete static_cast<Engine*>(handle); }

void hls_engine_base(void* handle, int port, long long base) { engine_of(handle).base(port, base); }

void hls_engine_start(void* handle, long long output, long long program, long long weights,
                      long long input) {
    engine_of(handle).start(output, program, weights, input);
}

svBit hls_engine_read(void* handle, int port, long long* address, char* length) {
    uint64_t from = 0;
    unsigned words = 1;
    const bool some = engine_of(handle).read(port, from, words);
    *address = static_cast<long long>(from);
    *length = static_cast<char>(words - 1);
    return some;
}

void hls_engine_take(void* handle, int port, const svBitVecVal* word, svBit failed) {
    uint64_t halves[2];
    std::memcpy(halves, word, sizeof halves);
    engine_of(handle).take(port, (word_t(halves[1]) << 64) | word_t(halves[0]), failed);
}

svBit hls_engine_write(void* handle, long long* address, char* length) {
    uint64_t to = 0;
    unsigned words = 1;
    const bool some = engine_of(handle).write(to, words);
    *address = static_cast<long long>(to);
    *length = static_cast<char>(words - 1);
    return some;
}

svBit hls_engine_give(void* handle, svBitVecVal* word, svBit* last) {
    word_t value = 0;
    bool at_end = false;
    const bool some = engine_of(handle).give(value, at_end);
    const uint64_t halves[2] = {ap_uint<64>(value).to_uint64(),
                                ap_uint<64>(value >> 64).to_uint64()};
    std::memcpy(word, halves, sizeof halves);
    *last = at_end;
    return some;
}

void hls_engine_answer(void* handle, svBit failed) { engine_of(handle).answer(failed); }

svBit hls_engine_step(void* handle, int* error_code) {
    const bool over = engine_of(handle).step();
    *error_code = static_cast<int>(engine_of(handle).error());
    return over;
}

}  // extern "C"
