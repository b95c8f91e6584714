// What two versions of the proto files mean to those who speak the older one,
// and what they leave undocumented.
#ifndef SCHLEUSE_PROTO_CONTRACT_H_
#define SCHLEUSE_PROTO_CONTRACT_H_

#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <vector>

namespace schleuse::contract {

using Files = google::protobuf::FileDescriptorSet;

// What somebody who relies on `before` would no longer find as it was in
// `after`: one line each, naming the element. Additions break nobody.
std::vector<std::string> BreakingChanges(const Files& before,
                                         const Files& after);

// Messages, fields, oneofs excepted, enums, values, services and methods
// without a comment before or behind them. `files` need source info. A value
// with number 0 whose name ends in UNSPECIFIED speaks for itself.
std::vector<std::string> Undocumented(const Files& files);

}  // namespace schleuse::contract

#endif  // SCHLEUSE_PROTO_CONTRACT_H_
