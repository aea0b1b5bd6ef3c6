"""Prints a flow log: records between endpoints of 400 roles, each of which serves one port and calls five others."""

import random
import sys

ROLES = 400


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def main():
    records, endpoints = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(1)
    calls = [[rng.randrange(ROLES) for _ in range(5)] for _ in range(ROLES)]
    members = endpoints // ROLES
    print("src_ip,dst_ip,proto,dst_port,packets,hours")
    while records > 0:
        role = rng.randrange(ROLES)
        client = role + ROLES * rng.randrange(members)
        called = rng.choice(calls[role])
        server = called + ROLES * rng.randrange(members)
        if client == server:
            continue
        packets, hours = rng.randrange(1, 1000), rng.randrange(1, 48)
        print(f"{address(client)},{address(server)},tcp,{1000 + called},{packets},{hours}")
        records -= 1


main()
