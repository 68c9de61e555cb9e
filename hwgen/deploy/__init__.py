# SPDX-License-Identifier: Apache-2.0
"""What goes to the board: one zip file with the overlay, the programs and the driver."""
