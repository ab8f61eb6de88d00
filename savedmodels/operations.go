package savedmodels

import "strings"

// allowed returns the operations that a graph may have. None of them reads or
// writes a file, opens a connection or starts a program. They are those of the
// networks that tftl-export lists, of Keras' layers for images, sequences and
// augmentation, in training and in inference, and their siblings. A new one belongs
// here only if it computes its outputs from its inputs and variables alone.
// CollectiveReduceV2 adds those of the cluster that this process was told to take part
// in; in others it does nothing.
func allowed() map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(`
		Placeholder PlaceholderWithDefault Const Identity IdentityN NoOp StopGradient PreventGradient
		EnsureShape Assert CheckNumerics ControlTrigger Snapshot

		PartitionedCall StatefulPartitionedCall Case StatelessCase If StatelessIf While StatelessWhile

		VarHandleOp ReadVariableOp AssignVariableOp AssignAddVariableOp AssignSubVariableOp
		VarIsInitializedOp VariableShape DisableCopyOnRead ResourceGather ResourceScatterAdd
		ResourceApplyAdam ResourceApplyKerasMomentum ResourceApplyRMSProp ResourceApplyMomentum
		ResourceApplyGradientDescent ResourceApplyAdagradV2 ResourceApplyAdadelta ResourceApplyFtrlV2
		ResourceApplyAdaMax ResourceApplyCenteredRMSProp ResourceApplyAdamWithAmsgrad

		Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh Ceil Cos Cosh Cumprod Cumsum Digamma
		Div DivNoNan Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Inv InvGrad IsFinite IsInf IsNan
		L2Loss Lgamma Log Log1p Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter Pow RealDiv
		Reciprocal ReciprocalGrad Rint Round Rsqrt RsqrtGrad Sigmoid SigmoidGrad Sign Sin Sinh Sqrt
		SqrtGrad Square SquaredDifference Sub Tan Tanh TanhGrad TruncateDiv TruncateMod Xdivy Xlog1py
		Xlogy BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift RightShift
		Equal NotEqual Greater GreaterEqual Less LessEqual ApproximateEqual LogicalAnd LogicalNot LogicalOr
		All Any ArgMax ArgMin Bincount DenseBincount EuclideanNorm Max Mean Min Prod Sum TopK TopKV2
		InTopKV2 SegmentSum SegmentMean SegmentMax UnsortedSegmentSum UnsortedSegmentMax
		UnsortedSegmentMin UnsortedSegmentProd ClipByValue HistogramFixedWidth

		BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum MatMul MatrixBandPart MatrixDiag MatrixDiagV3
		MatrixDiagPart MatrixDiagPartV3 MatrixSetDiagV3 MatrixInverse MatrixDeterminant MatrixSolve
		Cholesky Qr SvdV2 Cross Diag DiagPart

		AvgPool AvgPoolGrad BatchNormWithGlobalNormalization BiasAdd BiasAddGrad BiasAddV1 Conv2D
		Conv2DBackpropFilter Conv2DBackpropInput Conv3D DepthwiseConv2dNative
		DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dilation2D Elu EluGrad
		FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
		FusedBatchNorm FusedBatchNormGrad FusedBatchNormV2 FusedBatchNormGradV2 FusedBatchNormV3
		FusedBatchNormGradV3 LRN LRNGrad LeakyRelu LeakyReluGrad LogSoftmax MaxPool MaxPoolGrad
		MaxPoolGradGrad MaxPoolV2 MaxPoolGradV2 MaxPoolWithArgmax AvgPool3D MaxPool3D QuantizeAndDequantizeV4
		Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax SoftmaxCrossEntropyWithLogits Softplus
		SoftplusGrad Softsign SoftsignGrad SparseSoftmaxCrossEntropyWithLogits

		BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast Concat
		ConcatOffset ConcatV2 DepthToSpace DynamicPartition DynamicStitch Empty ExpandDims
		ExtractImagePatches Fill Gather GatherNd GatherV2 InvertPermutation LinSpace ListDiff
		LowerBound MirrorPad MirrorPadGrad OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch Range
		Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd Select SelectV2 SearchSorted Shape
		ShapeN Size Slice SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze StridedSlice
		StridedSliceGrad TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
		TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts
		Unpack UnravelIndex UpperBound Where ZerosLike

		EmptyTensorList TensorListConcat TensorListConcatV2 TensorListElementShape TensorListFromTensor
		TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
		TensorListReserve TensorListResize TensorListScatter TensorListScatterV2 TensorListSetItem
		TensorListSplit TensorListStack OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone

		Multinomial ParameterizedTruncatedNormal RandomShuffle RandomStandardNormal RandomUniform
		RandomUniformInt RngReadAndSkip RngSkip StatefulStandardNormalV2 StatefulTruncatedNormal
		StatefulUniform StatefulUniformFullInt StatefulUniformInt StatelessMultinomial
		StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
		StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
		StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
		StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal
		StatelessTruncatedNormalV2 TruncatedNormal

		AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize DecodeAndCropJpeg DecodeBase64 DecodeBmp
		DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw DecodeWebP EncodeBase64 ExtractGlimpse
		ExtractJpegShape HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3 RGBToHSV
		ResizeArea ResizeBicubic ResizeBicubicGrad ResizeBilinear ResizeBilinearGrad
		ResizeNearestNeighbor ResizeNearestNeighborGrad ScaleAndTranslate ScaleAndTranslateGrad
		StatelessSampleDistortedBoundingBox

		AsString Fingerprint ReduceJoin RegexFullMatch ShardedFilename StaticRegexFullMatch StringJoin
		StringLength StringLower StringStrip StringToHashBucketFast StringUpper Substr

		MergeV2Checkpoints RestoreV2 SaveV2

		CollectiveReduceV2`) {
		set[name] = true
	}
	return set
}

// pathInputs are the inputs of operations that read or write files at a path. These
// are allowed if the path comes from the caller, as a model's saver gets it.
func pathInputs() map[string][]int {
	return map[string][]int{"SaveV2": {0}, "RestoreV2": {0}, "MergeV2Checkpoints": {0, 1}}
}

// quantized returns the operations that the part in int8 may have too, outside of
// functions: checkQuantized looks at their inputs.
func quantized() map[string]bool {
	return map[string]bool{
		"Dequantize": true, "QuantizeV2": true, "QuantizedMaxPool": true,
		"QuantizedConv2DWithBiasAndRequantize":                 true,
		"QuantizedConv2DWithBiasAndReluAndRequantize":          true,
		"QuantizedDepthwiseConv2DWithBiasAndReluAndRequantize": true,
		quantizedSum: true,
	}
}

// quantizedSum crashes the process, or worse, if what is added has another shape than
// the result.
const quantizedSum = "QuantizedConv2DWithBiasSumAndReluAndRequantize"
