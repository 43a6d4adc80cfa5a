// RUN: sectile-opt %s --host-to-llvm -verify-diagnostics

// expected-error @+1 {{expects the functions that graph-plan-memory writes, @sectile_prepare and @sectile_run}}
module {
}
