// Each stub jumps to the address in its slot. At first that is the code behind it, which has the
// slot filled and then jumps again, with all arguments as they were.

	.macro stub name
	.text
	.globl	\name
	.hidden	\name
	.type	\name, %function
\name:
	adrp	x16, slot_\name
	ldr	x16, [x16, :lo12:slot_\name]
	br	x16
first_\name:
	adrp	x17, slot_\name
	add	x17, x17, :lo12:slot_\name
	b	find
	.size	\name, . - \name

	.section .rodata
name_\name:
	.asciz	"\name"

	.data
	.balign	8
slot_\name:
	.quad	first_\name
	.quad	name_\name
	.endm

	.text
find:
	stp	x29, x30, [sp, #-224]!
	mov	x29, sp
	stp	x0, x1, [sp, #16]
	stp	x2, x3, [sp, #32]
	stp	x4, x5, [sp, #48]
	stp	x6, x7, [sp, #64]
	stp	x8, x17, [sp, #80]
	stp	q0, q1, [sp, #96]
	stp	q2, q3, [sp, #128]
	stp	q4, q5, [sp, #160]
	stp	q6, q7, [sp, #192]
	mov	x0, x17
	bl	libtensorflow_find
	ldp	q6, q7, [sp, #192]
	ldp	q4, q5, [sp, #160]
	ldp	q2, q3, [sp, #128]
	ldp	q0, q1, [sp, #96]
	ldp	x8, x17, [sp, #80]
	ldp	x6, x7, [sp, #64]
	ldp	x4, x5, [sp, #48]
	ldp	x2, x3, [sp, #32]
	ldp	x0, x1, [sp, #16]
	ldp	x29, x30, [sp], #224
	ldr	x16, [x17]
	br	x16

#define SYMBOL(name) stub name
#include "symbols.h"

	.section .note.GNU-stack, "", %progbits
