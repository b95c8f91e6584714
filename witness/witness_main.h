// What schleuse-witness does with its command line.
#ifndef SCHLEUSE_WITNESS_WITNESS_MAIN_H_
#define SCHLEUSE_WITNESS_WITNESS_MAIN_H_

namespace schleuse {

// Returns the exit code.
int WitnessMain(int argc, char** argv);

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_WITNESS_MAIN_H_
