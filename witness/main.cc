#include "witness/witness_main.h"

int main(int argc, char** argv) { return schleuse::WitnessMain(argc, argv); }
