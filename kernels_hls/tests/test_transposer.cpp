// SPDX-License-Identifier: Apache-2.0
// A square written by rows, read by rows and by columns.
#include "bench.hpp"
#include "transposer.hpp"

int main(int argc, char** argv) {
    Vectors vectors(argc, argv);
    static square_t square;
    Vector8 rows[LANES];
    for (unsigned row = 0; row < LANES; ++row) {
        rows[row] = vectors.next<Vector8>();
        write_row(square, row, rows[row]);
    }
    for (unsigned i = 0; i < LANES; ++i) {
        const Vector8 row = read_square(square, i, false);
        const Vector8 column = read_square(square, i, true);
        for (unsigned lane = 0; lane < LANES; ++lane) {
            expect(at("row", i, lane), rows[i].lane[lane], row.lane[lane]);
            expect(at("column", i, lane), rows[lane].lane[i], column.lane[lane]);
        }
    }
    return passed("transposer", 2ull * LANES * LANES);
}
