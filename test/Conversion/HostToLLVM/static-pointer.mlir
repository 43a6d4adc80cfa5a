// RUN: sectile-opt %s --host-to-static="pointer-bytes=2" --verify-diagnostics

// expected-error @+1 {{expects pointers of 4 or 8 bytes, but got 2}}
module {
  func.func private @sectile_prepare()
  func.func private @sectile_run()
}
