-- Texts about convolutions, pooling and padding (nn): see reference.lua.
return [==[
= nn.ConvTranspose1d
Transposed convolution, the gradient of a convolution as a layer: x (n, channels, width), or without
n. weight (in_channels, out_channels / groups, kernel).
> nn.ConvTranspose1d(3, 8, 2, { stride = 2 })(pt.ones(2, 3, 4)).shape
[2, 8, 8]

= nn.MaxPool1d
The largest of each window of x (n, channels, width); stride is kernel_size where it is not given.
With return_indices also where it stands in its plane, from 1.
> nn.MaxPool1d(2)(pt.ones(1, 3, 4)).shape
[1, 3, 2]

= nn.MaxUnpool1d
Zeros with x where the positions of MaxPool1d say: its partial inverse.
> local y, at = nn.MaxPool1d(2, { return_indices = true })(pt.ones(1, 3, 4))
> nn.MaxUnpool1d(2)(y, at).shape
[1, 3, 4]

= nn.AvgPool1d
The average of each window of x (n, channels, width).
> nn.AvgPool1d(2)(pt.ones(1, 3, 4)).shape
[1, 3, 2]

= nn.LPPool1d
The root of the sum of powers of each window of x (n, channels, width).
> nn.LPPool1d(2, 2)(pt.ones(1, 3, 4)).shape
[1, 3, 2]

= nn.AdaptiveAvgPool1d
Averages of as many windows as output_size asks for, whatever the size of x (n, channels, width).
> nn.AdaptiveAvgPool1d(1)(pt.ones(1, 3, 4)).shape
[1, 3, 1]

= nn.AdaptiveMaxPool1d
The largest of each of as many windows as output_size asks for, of x (n, channels, width).
> nn.AdaptiveMaxPool1d(2)(pt.ones(1, 3, 4)).shape
[1, 3, 2]

= nn.ZeroPad1d
x (n, channels, width) with zeros around it: one amount, or {left, right}.
> nn.ZeroPad1d(1)(pt.ones(1, 1, 4)).shape
[1, 1, 6]

= nn.ConstantPad1d
x (n, channels, width) with a value around it: one amount, or {left, right}.
> nn.ConstantPad1d(1, 7)(pt.ones(1, 1, 4)).shape
[1, 1, 6]

= nn.ReflectionPad1d
x (n, channels, width) with what lies within, mirrored at the edge, around it: one amount, or {left,
right}.
> nn.ReflectionPad1d(1)(pt.ones(1, 1, 4)).shape
[1, 1, 6]

= nn.ReplicationPad1d
x (n, channels, width) with copies of the edge around it: one amount, or {left, right}.
> nn.ReplicationPad1d(1)(pt.ones(1, 1, 4)).shape
[1, 1, 6]

= nn.CircularPad1d
x (n, channels, width) with what lies at the other end around it: one amount, or {left, right}.
> nn.CircularPad1d(1)(pt.ones(1, 1, 4)).shape
[1, 1, 6]

= nn.ConvTranspose2d
Transposed convolution, the gradient of a convolution as a layer: x (n, channels, height, width), or
without n. weight (in_channels, out_channels / groups, kernel).
> nn.ConvTranspose2d(3, 8, 2, { stride = 2 })(pt.ones(2, 3, 4, 4)).shape
[2, 8, 8, 8]

= nn.MaxPool2d
The largest of each window of x (n, channels, height, width); stride is kernel_size where it is not
given. With return_indices also where it stands in its plane, from 1.
> nn.MaxPool2d(2)(pt.ones(1, 3, 4, 4)).shape
[1, 3, 2, 2]

= nn.MaxUnpool2d
Zeros with x where the positions of MaxPool2d say: its partial inverse.
> local y, at = nn.MaxPool2d(2, { return_indices = true })(pt.ones(1, 3, 4, 4))
> nn.MaxUnpool2d(2)(y, at).shape
[1, 3, 4, 4]

= nn.AvgPool2d
The average of each window of x (n, channels, height, width).
> nn.AvgPool2d(2)(pt.ones(1, 3, 4, 4)).shape
[1, 3, 2, 2]

= nn.LPPool2d
The root of the sum of powers of each window of x (n, channels, height, width).
> nn.LPPool2d(2, 2)(pt.ones(1, 3, 4, 4)).shape
[1, 3, 2, 2]

= nn.AdaptiveAvgPool2d
Averages of as many windows as output_size asks for, whatever the size of x (n, channels, height,
width).
> nn.AdaptiveAvgPool2d(1)(pt.ones(1, 3, 4, 4)).shape
[1, 3, 1, 1]

= nn.AdaptiveMaxPool2d
The largest of each of as many windows as output_size asks for, of x (n, channels, height, width).
> nn.AdaptiveMaxPool2d(2)(pt.ones(1, 3, 4, 4)).shape
[1, 3, 2, 2]

= nn.ZeroPad2d
x (n, channels, height, width) with zeros around it: one amount, or {left, right, top, bottom}.
> nn.ZeroPad2d(1)(pt.ones(1, 1, 4, 4)).shape
[1, 1, 6, 6]

= nn.ConstantPad2d
x (n, channels, height, width) with a value around it: one amount, or {left, right, top, bottom}.
> nn.ConstantPad2d(1, 7)(pt.ones(1, 1, 4, 4)).shape
[1, 1, 6, 6]

= nn.ReflectionPad2d
x (n, channels, height, width) with what lies within, mirrored at the edge, around it: one amount,
or {left, right, top, bottom}.
> nn.ReflectionPad2d(1)(pt.ones(1, 1, 4, 4)).shape
[1, 1, 6, 6]

= nn.ReplicationPad2d
x (n, channels, height, width) with copies of the edge around it: one amount, or {left, right, top,
bottom}.
> nn.ReplicationPad2d(1)(pt.ones(1, 1, 4, 4)).shape
[1, 1, 6, 6]

= nn.CircularPad2d
x (n, channels, height, width) with what lies at the other end around it: one amount, or {left,
right, top, bottom}.
> nn.CircularPad2d(1)(pt.ones(1, 1, 4, 4)).shape
[1, 1, 6, 6]

= nn.ConvTranspose3d
Transposed convolution, the gradient of a convolution as a layer: x (n, channels, depth, height,
width), or without n. weight (in_channels, out_channels / groups, kernel).
> nn.ConvTranspose3d(3, 8, 2, { stride = 2 })(pt.ones(2, 3, 4, 4, 4)).shape
[2, 8, 8, 8, 8]

= nn.MaxPool3d
The largest of each window of x (n, channels, depth, height, width); stride is kernel_size where it
is not given. With return_indices also where it stands in its plane, from 1.
> nn.MaxPool3d(2)(pt.ones(1, 3, 4, 4, 4)).shape
[1, 3, 2, 2, 2]

= nn.MaxUnpool3d
Zeros with x where the positions of MaxPool3d say: its partial inverse.
> local y, at = nn.MaxPool3d(2, { return_indices = true })(pt.ones(1, 3, 4, 4, 4))
> nn.MaxUnpool3d(2)(y, at).shape
[1, 3, 4, 4, 4]

= nn.AvgPool3d
The average of each window of x (n, channels, depth, height, width).
> nn.AvgPool3d(2)(pt.ones(1, 3, 4, 4, 4)).shape
[1, 3, 2, 2, 2]

= nn.LPPool3d
The root of the sum of powers of each window of x (n, channels, depth, height, width).
> nn.LPPool3d(2, 2)(pt.ones(1, 3, 4, 4, 4)).shape
[1, 3, 2, 2, 2]

= nn.AdaptiveAvgPool3d
Averages of as many windows as output_size asks for, whatever the size of x (n, channels, depth,
height, width).
> nn.AdaptiveAvgPool3d(1)(pt.ones(1, 3, 4, 4, 4)).shape
[1, 3, 1, 1, 1]

= nn.AdaptiveMaxPool3d
The largest of each of as many windows as output_size asks for, of x (n, channels, depth, height,
width).
> nn.AdaptiveMaxPool3d(2)(pt.ones(1, 3, 4, 4, 4)).shape
[1, 3, 2, 2, 2]

= nn.ZeroPad3d
x (n, channels, depth, height, width) with zeros around it: one amount, or {left, right, top,
bottom, front, back}.
> nn.ZeroPad3d(1)(pt.ones(1, 1, 4, 4, 4)).shape
[1, 1, 6, 6, 6]

= nn.ConstantPad3d
x (n, channels, depth, height, width) with a value around it: one amount, or {left, right, top,
bottom, front, back}.
> nn.ConstantPad3d(1, 7)(pt.ones(1, 1, 4, 4, 4)).shape
[1, 1, 6, 6, 6]

= nn.ReflectionPad3d
x (n, channels, depth, height, width) with what lies within, mirrored at the edge, around it: one
amount, or {left, right, top, bottom, front, back}.
> nn.ReflectionPad3d(1)(pt.ones(1, 1, 4, 4, 4)).shape
[1, 1, 6, 6, 6]

= nn.ReplicationPad3d
x (n, channels, depth, height, width) with copies of the edge around it: one amount, or {left,
right, top, bottom, front, back}.
> nn.ReplicationPad3d(1)(pt.ones(1, 1, 4, 4, 4)).shape
[1, 1, 6, 6, 6]

= nn.CircularPad3d
x (n, channels, depth, height, width) with what lies at the other end around it: one amount, or
{left, right, top, bottom, front, back}.
> nn.CircularPad3d(1)(pt.ones(1, 1, 4, 4, 4)).shape
[1, 1, 6, 6, 6]

= nn.FractionalMaxPool2d
The largest of windows at random places, of which output_size (or output_ratio times the size of x) come out.
from: torch.nn.FractionalMaxPool2d; Graham 2014
> nn.FractionalMaxPool2d(2, { output_ratio = 0.75 })(pt.ones(1, 3, 8, 8)).shape
[1, 3, 6, 6]

= nn.FractionalMaxPool3d
The largest of windows at random places of volumes, of which output_size (or output_ratio times the size of x) come out.
> nn.FractionalMaxPool3d(2, { output_size = 3 })(pt.ones(1, 3, 8, 8, 8)).shape
[1, 3, 3, 3, 3]

= nn.LazyConv1d
A Conv1d that finds its in_channels in its first x.
> nn.LazyConv1d(4, 3)(pt.ones(1, 2, 8)).shape
[1, 4, 6]

= nn.LazyConv2d
A Conv2d that finds its in_channels in its first x.
> nn.LazyConv2d(4, 3)(pt.ones(1, 2, 8, 8)).shape
[1, 4, 6, 6]

= nn.LazyConv3d
A Conv3d that finds its in_channels in its first x.
> nn.LazyConv3d(4, 3)(pt.ones(1, 2, 8, 8, 8)).shape
[1, 4, 6, 6, 6]

= nn.LazyConvTranspose1d
A ConvTranspose1d that finds its in_channels in its first x.
> nn.LazyConvTranspose1d(4, 3)(pt.ones(1, 2, 8)).shape
[1, 4, 10]

= nn.LazyConvTranspose2d
A ConvTranspose2d that finds its in_channels in its first x.
> nn.LazyConvTranspose2d(4, 3)(pt.ones(1, 2, 8, 8)).shape
[1, 4, 10, 10]

= nn.LazyConvTranspose3d
A ConvTranspose3d that finds its in_channels in its first x.
> nn.LazyConvTranspose3d(4, 3)(pt.ones(1, 2, 8, 8, 8)).shape
[1, 4, 10, 10, 10]
]==]
