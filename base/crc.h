// Cyclic redundancy checks of 32 bits, reflected, starting from and xored with all
// ones.
//
//   Crc32   polynomial 0x04C11DB7: ZIP archives, PNG, Ethernet
//   Crc32c  polynomial 0x1EDC6F41 (Castagnoli): TFRecord, iSCSI
//
// Both of "123456789" are known: 0xCBF43926 and 0xE3069283.
//
// Source   RFC 3720, appendix B.4; eight bytes a step as in Kounavis & Berry,
//          ISCC 2005.

#ifndef IAT_BASE_CRC_H_
#define IAT_BASE_CRC_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace iat {

uint32_t Crc32(absl::string_view bytes);
uint32_t Crc32c(absl::string_view bytes);

}  // namespace iat

#endif  // IAT_BASE_CRC_H_
