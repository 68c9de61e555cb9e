// SPDX-License-Identifier: Apache-2.0
// The stream that C simulation uses. The first byte of the file says what to do: 0 order of the
// data, 1 read an empty stream, 2 leave data behind. 1 and 2 must abort.
#include "bench.hpp"
#include "hls_stream.h"

namespace {

int order() {
    hls::stream<int> stream("numbers");
    int written = 0, read = 0;
    for (int round = 0; round < 100; ++round) {
        for (int i = 0; i < 3 * round % 41; ++i) stream.write(written++);
        for (int i = 0; i < 2 * round % 37 && !stream.empty(); ++i)
            expect(at("number", read), read, stream.read()), ++read;
    }
    int value;
    while (stream.read_nb(value)) {
        expect(at("number", read), read, value);
        ++read;
    }
    expect("count", written, read);
    return passed("stream", read);
}

}  // namespace

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    const uint8_t mode = vectors.next<uint8_t>();
    if (mode == 0) return order();
    hls::stream<int> stream("numbers");
    if (mode == 1) return stream.read();
    stream.write(1);
    return 0;
}
