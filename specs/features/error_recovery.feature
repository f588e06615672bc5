Feature: Error recovery

  A failure is an error and not a panic; it costs no memory, and the next valid request is served.

  @00§3.4 @MS-004 @VP-004
  Scenario: after a refused allocation a model that fits is sealed
    Given a worker with 1 device of 4 MiB
    And a sealed model of 3 MiB named "resident"
    When I seal a model of 2 MiB as "second"
    Then it is refused as "insufficient memory"
    And the error states 2 MiB needed and 1 MiB available
    And the error says that a retry can succeed
    And device 0 has 3 MiB used and 1 MiB available
    When I seal a model of 1 MiB as "smaller"
    Then it succeeds
    And "resident" verifies
    When I release "resident"
    And I seal a model of 2 MiB as "second"
    Then it succeeds
    And device 0 has 3 MiB used and 1 MiB available

  @MS-004 @RP-003
  Scenario: after invalid input the next valid model is sealed
    Given a worker with 1 device of 64 MiB and a maximum of 2 MiB for a model
    When I seal a model of 0 bytes as "empty"
    Then it is refused as "invalid input"
    When I seal a model of 2097153 bytes as "above-maximum"
    Then it is refused as "invalid input"
    When I seal a model of 1 MiB as "not/an/id"
    Then it is refused as "invalid input"
    When I seal a model of 1 MiB as "elsewhere" on device 7
    Then it is refused as "invalid input"
    And device 0 has 0 bytes used and 64 MiB available
    When I seal a model of 2 MiB as "maximum"
    Then it succeeds
    And "maximum" verifies

  @00§3.3 @MS-004
  Scenario: after each failure of the driver or the audit trail the memory is given back
    Given a worker with 1 device of 4 MiB
    When the driver of device 0 fails its next "allocate" with code 2 while I seal a model of 4 MiB as "first"
    Then it is refused as "insufficient memory"
    And device 0 has 0 bytes used and 4 MiB available
    When the driver of device 0 fails its next "allocate" with code 1 while I seal a model of 4 MiB as "first"
    Then it is refused as "driver error"
    And device 0 has 0 bytes used and 4 MiB available
    When the driver of device 0 fails its next "write" with code 1 while I seal a model of 4 MiB as "first"
    Then it is refused as "driver error"
    And device 0 has 0 bytes used and 4 MiB available
    When the audit trail refuses events while I seal a model of 4 MiB as "first"
    Then it is refused as "audit refused"
    And device 0 has 0 bytes used and 4 MiB available
    When I seal a model of 4 MiB as "first"
    Then it succeeds
    And "first" verifies

  @00§3.2 @MS-005
  Scenario: memory that cannot be overwritten is quarantined and its device is stopped
    Given a worker with 2 devices of 8 MiB
    And device 0 keeps what freed memory held
    And a sealed model of 1 MiB named "stuck" on device 0
    And the driver of device 0 will fail its next "overwrite" with code 1
    When I drop the handle of "stuck"
    Then nothing of device 0 has been freed
    And device 0 has 1 MiB used and 7 MiB available
    And the audit trail ends with:
      | event       | about | critical |
      | quarantined | stuck | yes      |
    When I seal a model of 1 MiB as "after" on device 0
    Then it is refused as "stopped"
    When I seal a model of 1 MiB as "after" on device 1
    Then it succeeds
    And "after" verifies
