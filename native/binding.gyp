{
  'targets': [
    {
      'target_name': 'homespin_native',
      'sources': [
        'src/addon.cc',
        'src/capture-file.cc',
        'src/capture-object.cc',
        'src/capture.cc',
        'src/decode.cc',
        'src/dns.cc',
        'src/flow-lines.cc',
        'src/flow-table.cc',
        'src/fragment-table.cc',
        'src/link-types.cc',
        'src/meter.cc',
        'src/name-reader.cc',
        'src/netlink-object.cc',
        'src/packet-filter.cc',
        'src/ring.cc',
        'src/route-messages.cc',
        'src/route-socket.cc',
        'src/stream-pool.cc',
        'src/tls.cc',
      ],
      # node-addon-api is header-only: the path is relative to this folder, as gyp wants it.
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=10', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags!': ['-O2', '-g'],
      'cflags': ['-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-missing-field-initializers'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
      'cflags_cc': ['-std=c++20', '-O3', '-fvisibility=hidden'],
      'conditions': [
        # What every x86-64 machine since about 2009 has; lets the compiler use SSE4.2 and POPCNT.
        ['target_arch=="x64"', {'cflags_cc': ['-march=x86-64-v2']}],
      ],
    },
  ],
}
