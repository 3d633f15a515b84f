#!/usr/bin/env python3
"""Looks at the machine code of the kernels' inner loops.

A small change of a loop can make the compiler keep sums on the stack or copy them from register to register; results stay
the same, a third of the speed is gone, and no other test would tell. Here the loop over k of each matrix product must
multiply as often as its tile is large, touch no stack, copy no vector, and have few instructions beside.

PYTHIA_KERN_LIBRARY is the static library, PYTHIA_OBJDUMP the disassembler (tests/CMakeLists.txt sets both).
"""
import os
import re
import subprocess
import unittest

# object file, function, product, products a step, instructions a step at most
LOOPS = [
    ("kern_avx2", "tile_6", "vfmadd", 12, 24),
    ("kern_avx512", "tile_14", "vfmadd", 28, 52),
    ("kern_avx2", "low_bytes_3", "vpmaddubsw", 12, 43),
    ("kern_avxvnni", "tile_6", "vfmadd", 12, 24),
    ("kern_avxvnni", "low_bytes_3", "vpdpbusd", 12, 19),
    ("kern_avx512", "low_bytes_12", "vpmaddubsw", 24, 94),
    ("kern_avx512vnni", "low_vnni_14", "vpdpbusd", 28, 52),
    ("kern_avx512vnni", "low_vnni_13", "vpdpbusd", 26, 49),
    ("kern_avx512bf16", "low_vnni_14", "vpdpbusd", 28, 52),
    ("kern_avx512bf16", "low_bf16_14", "vdpbf16ps", 28, 52),
    ("kern_avx512bf16", "low_bf16_13", "vdpbf16ps", 26, 49),
]
# Of tile_14's 14 rows' addresses gcc keeps one on the stack: a load of 8 bytes, which costs nothing beside 28 products.
STACK_LOADS_ALLOWED = {"tile_14": 2}

INSTRUCTION = re.compile(r"\s+([0-9a-f]+):\s+(?:\{\w+\}\s+)?(\S+)\s*([^#<]*)")
COPY = re.compile(r"vmov(?:aps|apd|ups|upd|dqa\d*|dqu\d*)$")


def functions(text):
    """{(object, function): [(address, mnemonic, operands)]} of what objdump -d prints for a static library."""
    found, member, code = {}, "", None
    for line in text.splitlines():
        if m := re.match(r"(\S+)\.c\.o(?:bj)?:\s+file format", line):
            member = m.group(1)
        elif m := re.match(r"[0-9a-f]+ <(\S+)>:", line):
            code = found.setdefault((member, m.group(1)), [])
        elif (m := INSTRUCTION.match(line)) and code is not None:
            code.append((int(m.group(1), 16), m.group(2), m.group(3).strip()))
    return found


def inner_loops(code):
    """Pieces of code from a backward jump's target to the jump, without those that hold another."""
    place = {address: i for i, (address, _, _) in enumerate(code)}
    spans = []
    for i, (_, mnemonic, operands) in enumerate(code):
        target = re.match(r"([0-9a-f]+)", operands)
        if mnemonic.startswith("j") and target and place.get(int(target.group(1), 16), i + 1) <= i:
            spans.append((place[int(target.group(1), 16)], i))
    return [code[a : b + 1] for a, b in spans if not any((a, b) != (c, d) and a <= c and d <= b for c, d in spans)]


def faults(code, function, product, products, most):
    """What is wrong with the loop over k: the inner loop with the most products."""
    loops = inner_loops(code)
    if not loops:
        return [f"{function} has no loop"]
    loop = max(loops, key=lambda body: sum(op.startswith(product) for _, op, _ in body))
    wrong = []
    count = sum(op.startswith(product) for _, op, _ in loop)
    if count != products:
        wrong.append(f"{count} {product} a step, not {products}")
    stack = [(op, args) for _, op, args in loop if "(%rsp" in args]
    stores = [s for s in stack if s[1].rstrip().endswith(")")]
    vectors = [s for s in stack if re.search(r"%[xyz]mm", s[1])]
    if stores or vectors or len(stack) > STACK_LOADS_ALLOWED.get(function, 0):
        wrong.append("the stack in " + ", ".join(" ".join(s) for s in stack))
    copies = [f"{op} {args}" for _, op, args in loop if COPY.match(op) and "(" not in args]
    if copies:
        wrong.append("copies: " + ", ".join(copies))
    if len(loop) > most:
        wrong.append(f"{len(loop)} instructions a step, {most} are enough")
    return wrong


class Code(unittest.TestCase):
    def test_inner_loops_multiply_and_do_little_else(self):
        objdump, library = os.environ["PYTHIA_OBJDUMP"], os.environ["PYTHIA_KERN_LIBRARY"]
        text = subprocess.run([objdump, "-d", "--no-show-raw-insn", library], capture_output=True, check=True, text=True)
        found = functions(text.stdout)
        for member, function, product, products, most in LOOPS:
            with self.subTest(member=member, function=function):
                self.assertIn((member, function), found)
                self.assertEqual(faults(found[member, function], function, product, products, most), [])


LISTING = """
kern_x.c.o:     file format elf64-x86-64

0000000000000000 <tile_1>:
   0:	vpxor  %xmm0,%xmm0,%xmm0
   4:	vbroadcastss (%rdi),%ymm2
   8:	vfmadd231ps (%rsi),%ymm2,%ymm0
{line}
  10:	dec    %rdx
  14:	jne    4 <tile_1+0x4>
  18:	vmovups %ymm0,(%rcx)
  1c:	ret
"""


class Fault(unittest.TestCase):
    """Each fault is seen in a loop that has just that one."""

    def of(self, line, products=1, most=5):
        code = functions(LISTING.replace("{line}", line))["kern_x", "tile_1"]
        return faults(code, "tile_1", "vfmadd", products, most)

    def test_a_sound_loop_has_none(self):
        self.assertEqual(self.of("   c:\tadd    $0x4,%rdi"), [])

    def test_a_spilled_sum_is_one(self):
        self.assertRegex(self.of("   c:\tvmovaps %ymm0,0x20(%rsp)")[0], "the stack in vmovaps")

    def test_a_sum_fetched_from_the_stack_is_one(self):
        self.assertRegex(self.of("   c:\tvaddps 0x20(%rsp),%ymm0,%ymm0")[0], "the stack in vaddps")

    def test_a_copied_vector_is_one(self):
        self.assertEqual(self.of("   c:\tvmovdqa64 %zmm0,%zmm4"), ["copies: vmovdqa64 %zmm0,%zmm4"])

    def test_a_missing_product_is_one(self):
        self.assertEqual(self.of("   c:\tadd    $0x4,%rdi", products=2), ["1 vfmadd a step, not 2"])

    def test_too_much_beside_the_products_is_one(self):
        self.assertEqual(self.of("   c:\tadd    $0x4,%rdi", most=4), ["5 instructions a step, 4 are enough"])

    def test_code_without_a_loop_is_one(self):
        self.assertEqual(faults([(0, "ret", "")], "tile_1", "vfmadd", 1, 5), ["tile_1 has no loop"])


if __name__ == "__main__":
    unittest.main()
