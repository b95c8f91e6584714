// schleuse-verify from its command line to its exit code.
#ifndef SCHLEUSE_CLIENT_VERIFY_VERIFY_MAIN_H_
#define SCHLEUSE_CLIENT_VERIFY_VERIFY_MAIN_H_

namespace schleuse::client {

int VerifyMain(int argc, char** argv);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_VERIFY_MAIN_H_
