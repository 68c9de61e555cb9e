// SPDX-License-Identifier: Apache-2.0
// Token registers: row counts and offsets that change while a program runs.
#pragma once

#include "hwgen_instruction.hpp"
#include "types.hpp"

typedef rows_t tokens_t[TOKEN_REGISTERS];

// Register `name - 1`; `given` where the name is 0.
inline rows_t token(const tokens_t tokens, ap_uint<4> name, rows_t given) {
#pragma HLS inline
    return name == 0 ? given : tokens[name - 1];
}

// Adds a register to an address. False where it leaves 16 bits, and with that every buffer.
inline bool add_offset(ap_uint<16>& address, const tokens_t tokens, ap_uint<4> name) {
#pragma HLS inline
    const address_t sum = address + token(tokens, name, 0);
    address = sum;
    return sum == address;
}

// The values of registers take the place of their names. False where an address is out of range.

inline bool resolve(Matmul& op, const tokens_t tokens) {
#pragma HLS inline
    op.rows = token(tokens, op.rows_register, op.rows);
    return add_offset(op.source_address, tokens, op.source_offset_register);
}

inline bool resolve(Attention& op, const tokens_t tokens) {
#pragma HLS inline
    op.rows = token(tokens, op.rows_register, op.rows);
    op.keys = token(tokens, op.keys_register, op.keys);
    return add_offset(op.query_address, tokens, op.query_offset_register) &&
           add_offset(op.destination_address, tokens, op.query_offset_register) &&
           add_offset(op.key_address, tokens, op.key_offset_register) &&
           add_offset(op.value_address, tokens, op.key_offset_register);
}

inline bool resolve(TokenSelect& op, const tokens_t tokens) {
#pragma HLS inline
    op.rows = token(tokens, op.rows_register, op.rows);
    return add_offset(op.source_address, tokens, op.source_offset_register) &&
           add_offset(op.destination_address, tokens, op.destination_offset_register);
}

// What a selection that wrote `rows` rows leaves in the registers.
inline void selected(const TokenSelect& op, rows_t rows, tokens_t tokens) {
#pragma HLS inline
    const rows_t end = token(tokens, op.destination_offset_register, 0) + rows;
    if (op.count_register != 0) tokens[op.count_register - 1] = rows;
    if (op.end_register != 0) tokens[op.end_register - 1] = end;
}
