Feature: Seal a model

  A worker seals a model when it loads it: the bytes go to device memory, and the handle that comes back describes them.

  @00§2.1 @00§2.4 @10§1.1
  Scenario: sealing a model returns a signed handle and writes one audit event
    Given a worker with 1 device of 64 MiB
    When I seal a model of 1 MiB as "llama-7b"
    Then it succeeds
    And the handle of "llama-7b" names device 0 and 1 MiB
    And the handle of "llama-7b" carries a signature of 32 bytes
    And device memory holds the model of "llama-7b"
    And the audit trail is:
      | event   | about     | critical |
      | started | simulated | no       |
      | sealed  | llama-7b  | no       |

  @00§2.3 @CI-004
  Scenario: the digests are those that sha256sum and fsverity print
    Given a worker with 1 device of 64 MiB
    When I seal a model of 100000 bytes as "vector"
    Then the SHA-256 digest of "vector" is "8b1b1444a8ec0a52e690d7f1cf91148ea80543c41dcfafd8e72f45e14eadcc76"
    And the tree digest of "vector" is "f2096a36c5cdca4fa33ee8852833150bb324992e5417a9d571f1bffff73b9efc"
    When I seal the model of "vector" again as "twin"
    And I seal a model of 100000 bytes as "other"
    Then "vector" and "twin" have equal digests
    And "vector" and "other" have different digests

  @00§3.1 @00§4.1 @RP-001
  Scenario: a model that fits the device exactly is sealed
    Given a worker with 1 device of 4 MiB
    When I seal a model of 4 MiB as "exact"
    Then it succeeds
    And device 0 has 4 MiB used and 0 bytes available
    And "exact" verifies
    When I seal a model of 1 byte as "straw"
    Then it is refused as "insufficient memory"
    And device 0 has 4 MiB used and 0 bytes available

  @00§3.4 @10§1.4 @RP-001 @RP-004 @VP-004
  Scenario: a model of one byte more than the device holds is refused
    Given a worker with 1 device of 4 MiB
    When I seal a model of 4194305 bytes as "too-large"
    Then it is refused as "insufficient memory"
    And the error states 4194305 bytes needed and 4 MiB available
    And device 0 has 0 bytes used and 4 MiB available
    And the audit trail is:
      | event             | about     | critical |
      | started           | simulated | no       |
      | allocation_failed | device 0  | no       |

  @00§4.3 @IV-001 @MS-003
  Scenario: an empty model is refused before the driver is asked for memory
    Given a worker with 1 device of 4 MiB
    And the driver of device 0 will fail its next "allocate" with code 1
    When I seal a model of 0 bytes as "empty"
    Then it is refused as "invalid input"
    And device 0 has 0 bytes used and 4 MiB available
    When I seal a model of 1 byte as "smallest"
    Then it is refused as "driver error"

  @00§4.4 @10§1.3 @IV-002
  Scenario: a device that does not exist is refused and the last one that exists is used
    Given a worker with 2 devices of 64 MiB
    When I seal a model of 1 MiB as "nowhere" on device 2
    Then it is refused as "invalid input"
    And the capacity of device 2 is refused as "invalid input"
    When I seal a model of 1 MiB as "last" on device 1
    Then it succeeds
    And the handle of "last" names device 1 and 1 MiB
    And device 1 has 1 MiB used and 63 MiB available
