// Each stub jumps to the address in its slot. At first that is the code behind it, which has the
// slot filled and then jumps again, with all arguments as they were.

	.macro stub name
	.text
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
	jmp	*slot_\name(%rip)
first_\name:
	leaq	slot_\name(%rip), %r11
	jmp	find
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
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%rax
	pushq	%r11
	subq	$128, %rsp // the stack is aligned to 16 bytes again
	movups	%xmm0, 0(%rsp)
	movups	%xmm1, 16(%rsp)
	movups	%xmm2, 32(%rsp)
	movups	%xmm3, 48(%rsp)
	movups	%xmm4, 64(%rsp)
	movups	%xmm5, 80(%rsp)
	movups	%xmm6, 96(%rsp)
	movups	%xmm7, 112(%rsp)
	movq	%r11, %rdi
	call	libtensorflow_find
	movups	0(%rsp), %xmm0
	movups	16(%rsp), %xmm1
	movups	32(%rsp), %xmm2
	movups	48(%rsp), %xmm3
	movups	64(%rsp), %xmm4
	movups	80(%rsp), %xmm5
	movups	96(%rsp), %xmm6
	movups	112(%rsp), %xmm7
	addq	$128, %rsp
	popq	%r11
	popq	%rax
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	popq	%rbp
	jmp	*(%r11)

#define SYMBOL(name) stub name
#include "symbols.h"

	.section .note.GNU-stack, "", @progbits
